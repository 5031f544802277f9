import java.nio.file.FileSystems
import java.nio.file.Files
import java.nio.file.LinkOption
import java.nio.file.Path
import nextflow.extension.FilesEx

/** Folders of batches and plates in the work folder, on a disk of this machine: which there are, how large they were, and their end. */
class WorkFolders {
    private static final Map<String, List<Path>> folders = [:]              // by the id of a batch or plate
    private static final Map<String, Long> sizes = [:]                      // bytes, likewise
    private static boolean keep = false
    static volatile long most = 0                                           // bytes: what they took at once

    /** KEEP: what a lost batch has made stays. */
    static void open(boolean keep) {
        this.keep = keep
    }

    static synchronized void add(String id, Path folder, long bytes) {
        folders.computeIfAbsent(id) { [] } << folder
        sizes[id] = bytes + (sizes[id] ?: 0L)
        most = Math.max(most, sizes.values().sum() as long)
    }

    /** For COMMIT, which deletes them: those of a batch or plate, as text. */
    static synchronized List<String> of(Map meta) {
        (folders[meta.id.toString()] ?: []).findAll { path -> isLocal(path) }*.toString().sort()
    }

    /** Those of a batch or plate, which are nobody's from now on. */
    static synchronized List<Path> forget(String id) {
        sizes.remove(id)
        return folders.remove(id) ?: []
    }

    static void delete(List<Path> paths) {
        if( !keep )
            paths.findAll { path -> isLocal(path) }.each { path ->
                Files.isDirectory(path) ? FilesEx.deleteDir(path) : Files.deleteIfExists(path)
            }
    }

    /** Delete what a failed task had begun in its FOLDER: all but its inputs, which are links, and Nextflow's own files. */
    static void deleteBegun(Path folder) {
        if( isLocal(folder) && Files.isDirectory(folder) )
            delete(folder.toFile().listFiles()*.toPath().findAll { path ->
                !Files.isSymbolicLink(path) && !(path.fileName.toString() =~ /^\.(command|exitcode)/)
            })
    }

    /** Bytes of the files in a folder, as their lengths are. A link in it leads to another's file; the folder may be one. */
    static long size(Path folder) {
        if( !isLocal(folder) )
            return 0
        try {
            return Files.walk(folder.toRealPath()).withCloseable { paths ->
                paths.filter { path -> Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS) }.mapToLong { path -> Files.size(path) }.sum()
            }
        }
        catch( IOException | UncheckedIOException _gone ) { // the batch was lost meanwhile
            return 0
        }
    }

    private static boolean isLocal(Path path) {
        path.fileSystem == FileSystems.default
    }
}
