import java.nio.file.Files
import java.nio.file.Path
import nextflow.Nextflow

/** Files and folders that params name, as a task can be given them. */
class Params {
    /** The file at a path, for a task; an empty list, which a process takes for no file, where there is none. */
    static Object file(Object path) {
        final found = path && !isAddress(path) ? pathOf(path) : null
        return found && Files.isRegularFile(found) ? Places.staged(found) : []
    }

    /** The files that a param names: one; those of a folder with names that begin with PREFIX; else those of a pattern such as models/a_*. */
    static List<Path> files(Object name, String prefix) {
        if( !name || isAddress(name) )
            return []
        final path = pathOf(name)
        final found = Files.isDirectory(path) ? within(path, prefix) : Files.exists(path) ? [path] : Nextflow.files(name.toString())
        return found.findAll { file -> Files.isRegularFile(file) }.sort { file -> file.name }.collect { file -> Places.staged(file) }
    }

    private static List<Path> within(Path folder, String prefix) {
        Files.list(folder).withCloseable { paths -> paths.toList() }.findAll { path -> path.name.startsWith(prefix) }
    }

    /** The folder in which the file of a param lies, likewise. */
    static Object beside(Object path, String param) {
        return file(path) ? Places.staged(pathOf(path).toAbsolutePath().parent, "${param} ${path}".toString()) : []
    }

    /** The folder at a path, as it is; an empty list where there is none. */
    static Object folder(Object path) {
        final found = path && !isAddress(path) ? pathOf(path) : null
        return found && Files.isDirectory(found) ? found : []
    }

    /** The path of the folder in which the file of a param lies, or would lie, as text; "" of an address, or without one. */
    static String parent(Object path) {
        path && !isAddress(path) ? pathOf(path).toAbsolutePath().parent.toString() : ''
    }

    /** A folder as text, whether it is there or not: an absolute path, or an address; "" without one. */
    static String place(Object path) {
        path && !isAddress(path) ? pathOf(path).toAbsolutePath().normalize().toString() : "${path ?: ''}"
    }

    /** A file the user names by path, or one of ours by its short name. */
    static Object named(Object name, String folder, String suffix) {
        final ours = file("${folder}/${name}${suffix}".toString())
        return name && ours ? ours : file(name)
    }

    /**
     * The network of --model, or --cell_model: the one that comes with the PROJECT, a file, or where the weights of a name that Cellpose knows are
     * published, [address, sha256 or null]; an empty list for others. ADDRESS: where Cellpose's weights lie.
     */
    static Object model(Object name, Path project, Map schema, String address) {
        final param = schema['$defs'].segmentation.properties.model, weights = param['x-weights'][name], shipped = param['x-shipped'][name]
        final there = shipped ? file("${project}/assets/models/${shipped}") : file(name)
        return there ?: (weights ? [address: "${address}/${weights}".toString(), sha256: param['x-sha256']?.get(weights)] : [])
    }

    /** A path as it is written: brackets and stars in it are no pattern. */
    static Path pathOf(Object path) {
        Nextflow.file(path.toString(), glob: false) as Path
    }

    static boolean isAddress(Object path) {
        path.toString() ==~ /(?s)[A-Za-z][A-Za-z0-9+.-]*:\/\/.*/
    }
}
