// A folder moved to the output folder, in place of the one that lies there. On the head, by plain Python.
process KEEP {
    label 'head'
    cache false

    input:
    val folder
    val outdir

    output:
    stdout

    script:
    """
    keep.py ${Launch.quoted([folder, outdir])}
    """

    stub:
    """
    printf %s ${Launch.quoted(outdir)}/${folder.name}
    """
}
