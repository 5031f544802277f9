// The local folders in which the containers of data JSONs lie: the planner opens them, and a container engine mounts what it is given.
process FOLDERS {
    label 'volume'
    label 'single'
    cache false

    input:
    path data, stageAs: 'data/?/*'
    val folder                                  // what paths in them are relative to

    output:
    path 'folders.json'

    script:
    """
    volume_folders.py ${data} --data_dir ${Places.quoted(folder)} > folders.json
    """
}
