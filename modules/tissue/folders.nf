// The local folders in which the slides of a table lie: the planner opens the slides, and a container sees what it is given.
process FOLDERS {
    label 'acquire'
    cache false

    input:
    path table, stageAs: 'table/*'
    val folder                                  // what relative paths in it are relative to

    output:
    path 'folders.json'

    script:
    """
    tissue_folders.py ${table} --folder ${Places.quoted(folder)} > folders.json
    """
}
