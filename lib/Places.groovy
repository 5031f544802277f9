import java.nio.file.FileSystems
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.StandardCopyOption
import nextflow.Global

/**
 * Paths that tasks can be given. Nextflow writes an input's path into a script for bash, where it quotes all but `$`, what
 * makes a pattern (`*?[{`) and what breaks a line; a container engine mounts the folder an input lies in, by name, and can mount
 * neither `/` nor every name.
 */
class Places {
    private static final String UNQUOTED = '$*?{\\[\\p{Cntrl}'
    private static final String ON_PATH = UNQUOTED + '"\'`:'   // bin/ of the pipeline stands in the PATH of every task

    /** The engine that runs the tasks' containers; null if there are none. */
    private static String engine() {
        Global.session.containerConfig.with { config -> config.enabled ? config.engine : null }
    }

    /** What of a path bash or the engine would take for something else, as the inside of a pattern's brackets. */
    private static String refused() {
        UNQUOTED + (!engine() ? '' : engine() in ['docker', 'podman'] ? ':' : ':,')
    }

    /** Ends the run before its first task where none can run in the work folder, or from the pipeline's. */
    static void check(Path project) {
        final work = Global.session.workDir
        final found = odd(work, refused()), other = odd(project, ON_PATH)
        if( found )
            throw new IllegalStateException("the work folder ${work}: no task can run in a folder with ${found} in its path; name another by -w, or start from another folder")
        if( other )
            throw new IllegalStateException("the pipeline's folder ${project}: no task can run from a folder with ${other} in its path; move it")
    }

    /** The output FOLDER as it is, whether it is there or not, unless no task can be given it. */
    static Path output(Path folder) {
        final fault = refusal(folder)
        if( fault )
            throw new IllegalStateException("--outdir ${folder}: no task can be given ${fault}; name another")
        return folder
    }

    /** Which of the FOLDERS of images no container can be given: a sentence each, ten at most; none without containers. */
    static List<String> faults(List<String> folders) {
        final found = engine() ? folders.collectEntries { folder -> [folder, odd(Path.of(folder), refused())] } : [:]
        return found.findAll { _folder, what -> what }.take(10).collect { folder, what ->
            "the images' folder ${folder}: ${engine()} can mount none with ${what} in its path; rename it, or run without containers (-profile venv)"
        }
    }

    /**
     * What a task is to be given for a file or folder: the path itself or, where that breaks, a copy of the file, or a folder of
     * links to what is in the folder, under a harmless name in the work folder. Nextflow itself stages where a link leads.
     * WHAT: how the refusal of a folder that no container can be given calls it.
     */
    static synchronized Path staged(Path path, String what = null) {
        final work = Global.session.workDir
        final fault = path.fileSystem == work.fileSystem ? refusal(path) : null
        if( !fault )
            return path
        final folder = Files.isDirectory(path)
        if( folder && engine() )
            throw new IllegalStateException("${what ?: path}: ${engine()} cannot mount ${fault}; rename or move it, or run without containers (-profile venv)")
        final name = path.fileName.toString().replaceAll("[${refused()}]") { letter -> String.format('%%%02X', (int) letter.charAt(0)) }
        final target = work.resolve("names/${path.toString().sha256().take(16)}/${name}".toString())
        return folder ? linked(path.toRealPath(), target) : copied(path, target)
    }

    private static Path copied(Path file, Path target) {
        final same = Files.exists(target) && Files.size(target) == Files.size(file) && Files.getLastModifiedTime(target) == Files.getLastModifiedTime(file)
        if( same )
            return target
        final part = Files.createDirectories(target.parent).resolve("${target.fileName}.part".toString())
        Files.copy(file, part, StandardCopyOption.COPY_ATTRIBUTES, StandardCopyOption.REPLACE_EXISTING)
        return Files.move(part, target, StandardCopyOption.ATOMIC_MOVE)
    }

    /** Only what differs is made anew: the time of the folder is part of a cache's key. */
    private static Path linked(Path folder, Path target) {
        final names = folder.toFile().list() as Set, before = Files.createDirectories(target).toFile().list() as Set
        (before - names).each { name -> Files.delete(target.resolve(name)) }
        (names - before).each { name -> Files.createSymbolicLink(target.resolve(name), folder.resolve(name)) }
        return target
    }

    /**
     * What a task is to be given for FOLDERS, in their order: STANDIN, a file, for one that is not there. Behind them, in a
     * container, what makes Nextflow mount all of them, and where IMAGES that are links lead: it mounts an input's own parent.
     */
    static List<Path> folders(List<String> folders, List<Path> images, Path standin) {
        final real = folders.collect { folder -> Path.of(folder) }.collect { folder -> Files.isDirectory(folder) ? folder.toRealPath() : null }
        if( !engine() )
            return real.collect { folder -> folder ? staged(folder) : standin }
        final there = real.findAll { folder -> folder }
        final led = images.findAll { image -> Files.exists(image) }*.toRealPath()
            .findAll { image -> !there.any { folder -> image.startsWith(folder) } }*.parent.unique()
        final entries = (there + led).findAll { folder -> !folder.parent?.parent }.collect { folder -> entry(folder) }
        return real.collect { folder -> folder ?: standin } + (led + entries).findAll { path -> path && harmless(path) }
    }

    /** One of the files or folders in a folder; null if there is none of a harmless name. */
    private static Path entry(Path folder) {
        Files.newDirectoryStream(folder).withCloseable { paths -> paths.find { path -> harmless(path) } } as Path
    }

    /** What a path is that no task can be given; null for others. An engine is told to mount what lies above it, but not `/`. */
    private static String refusal(Path path) {
        final found = odd(path, refused())
        return found ? "a folder with ${found} in its path" : engine() && !really(path).parent?.parent ? 'a folder directly below /' : null
    }

    /** A path, or several, as words of a shell's command line, whatever is in them. */
    static String quoted(Object paths) {
        (paths instanceof List ? paths : [paths]).collect { path -> "'" + path.toString().replace("'", "'\\''") + "'" }.join(' ')
    }

    private static boolean harmless(Path path) {
        !odd(path, refused())
    }

    /** Where a path leads, of which the end need not be there yet. */
    private static Path really(Path path) {
        final whole = path.toAbsolutePath()
        return Files.exists(whole) ? whole.toRealPath() : really(whole.parent).resolve(whole.fileName)
    }

    /** Those of the CHARACTERS that are in a path, or where it leads, for a sentence; null if there are none. */
    private static String odd(Path path, String characters) {
        if( path.fileSystem != FileSystems.default )
            return null
        final found = ("${path.toAbsolutePath()}${really(path)}" =~ "[${characters}]").collect { letter -> letter }.unique()
        return found.collect { letter -> letter < ' ' ? 'a line break or tab' : "\"${letter}\"" }.join(' and ') ?: null
    }
}
