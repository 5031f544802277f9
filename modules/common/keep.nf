// A folder, or a file, moved into the output folder, in place of what an earlier run put there. On the head, by plain Python.
process KEEP {
    label 'head'
    cache false
    errorStrategy { Warnings.verdict(task, place) }

    input:
    tuple val(folder), val(place)               // place: its path in the output folder
    val outdir

    output:
    stdout

    script:
    """
    keep.py ${Places.quoted([folder, outdir, place])}
    """

    stub:
    """
    printf %s ${Places.quoted(outdir)}/${place}
    """
}
