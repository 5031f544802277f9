import java.nio.channels.FileChannel
import java.nio.file.Files
import java.nio.file.LinkOption
import java.nio.file.Path
import java.nio.file.StandardOpenOption

/** The output folder, before the first task: that it can be written, and that no other run writes to it. */
class Outdir {
    private static final String ELSEWHERE = /(?s)~\/.*|[A-Za-z]:[\\\/].*|\\\\.*/   // by a shell, by Windows
    private static FileChannel claimed              // open as long as the run lasts

    /** The output folder, claimed for this run and made if need be; an empty list if it cannot be written, or is named as elsewhere. */
    static Object open(Object path) {
        if( !possible(path) )
            return []
        final folder = Params.pathOf(path)
        try {
            Files.createDirectories(folder)
        }
        catch( IOException _e ) {
            return []
        }
        claim(folder)
        return folder
    }

    /** Whether a folder can be written, or made in the nearest one above it that is there; not one that is named as elsewhere. */
    static boolean possible(Object path) {
        if( Params.isAddress(path) || path ==~ ELSEWHERE )
            return false
        Path there = Places.output(Params.pathOf(path)).toAbsolutePath()
        while( !Files.exists(there, LinkOption.NOFOLLOW_LINKS) )
            there = there.parent
        return Files.isDirectory(there) && Files.isWritable(there)
    }

    /** An output folder that a run has begun to write to. */
    static Path begun(Object path) {
        final found = Params.folder(path)
        if( found && Files.isRegularFile(found.resolve('pipeline_info/plan.json')) )
            return Places.output(found)
        throw new IllegalStateException("--report_only: in --outdir ${path} no run has begun, so there is nothing to report on")
    }

    /** Claims it until this run ends, however it ends: what two runs at once commit they would take from each other. */
    private static void claim(Path folder) {
        try {
            claimed = FileChannel.open(folder.resolve('.running'), StandardOpenOption.CREATE, StandardOpenOption.WRITE)
            if( claimed.tryLock() )
                return
        }
        catch( IOException _e ) {                   // a file system without locks
            return
        }
        throw new IllegalStateException("--outdir ${folder}: another run is writing to it; wait for its end, or name another folder")
    }
}
