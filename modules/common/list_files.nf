// Names of the files in a folder of images, for the planner: its container would not see where links lead. On the head.
process LIST_FILES {
    label 'head'
    cache false

    input:
    val folder
    val without                                 // folders of this run, should they lie in it

    output:
    path 'files.json'

    script:
    """
    list_files.py ${Places.quoted(folder)} --without ${Places.quoted(without)} > files.json
    """
}
