import java.nio.file.Path

/** The folders of a workspace as deepcell-imaging lays it out: in --workspace, under their usual names or others, or each by a path of its own. */
class Workspace {
    private static final Map<String, List<String>> PARAMS = [           // folder: param of its name in --workspace, param of its path
        images: ['images_subdir', 'images_path'],
        numpy: ['npz_subdir', 'numpy_path'],
        segmasks: ['segmasks_subdir', 'segmasks_path'],
        project: ['project_subdir', 'project_path'],
        reports: ['reports_subdir', 'reports_path'],
    ]
    private static final List<String> WRITTEN = ['segmasks', 'project', 'reports']

    /** Folder -> its path, as text, null for one that nobody names; an empty map without a workspace. */
    static Map<String, String> folders(Map settings) {
        if( !settings.workspace && !settings.images_path )
            return [:]
        return PARAMS.collectEntries { name, params ->
            final (subdir, path) = params
            final named = settings[path] ?: (settings.workspace ? "${settings.workspace}/${settings[subdir]}" : null)
            [name, Params.place(named) ?: null]
        }
    }

    /** Those of the FOLDERS that results go to and that are there. COMMIT and SUMMARY make the others. */
    static Map<String, Path> written(Map<String, String> folders) {
        WRITTEN.collectEntries { name -> [name, Params.folder(folders[name])] }.findAll { _name, folder -> folder } as Map<String, Path>
    }

    /** Names of those of the FOLDERS that results go to and that can be neither written nor made. The planner says so. */
    static List<String> unwritable(Map<String, String> folders) {
        WRITTEN.findAll { name -> folders[name] && !Outdir.possible(folders[name]) }
    }

    /** What PLAN is to be given for those of the FOLDERS that are read, the images' first; STANDIN: a file. */
    static List<Path> staged(Map<String, String> folders, Path standin) {
        final read = [folders.images, folders.numpy].findAll { folder -> folder && !Params.isAddress(folder) }.unique()
        final entries = read.collectMany { folder -> (Path.of(folder).toFile().listFiles() ?: []).toList()*.toPath() }
        return Places.folders(read, entries, standin)
    }
}
