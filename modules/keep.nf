// A folder, or a file, moved into one of the output folder's, in place of the one that lies there. On the head, by plain Python.
process KEEP {
    label 'head'
    cache false
    errorStrategy { Warnings.verdict(task, "${place}/${folder.name}") }

    input:
    tuple val(folder), val(place)

    output:
    stdout

    script:
    """
    keep.py ${Launch.quoted([folder, place])}
    """

    stub:
    """
    printf %s ${Launch.quoted(place)}/${folder.name}
    """
}
