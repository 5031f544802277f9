// A folder, or a file, moved into the output folder, in place of what an earlier run put there. On the head, by plain Python.
process KEEP {
    label 'head'
    cache false
    errorStrategy { Warnings.verdict(task, "${place}/${folder.name}") }

    input:
    tuple val(folder), val(place)               // place: a folder of the output folder, or . for itself
    val outdir

    output:
    stdout

    script:
    """
    keep.py ${Launch.quoted([folder, outdir, place])}
    """

    stub:
    """
    printf %s ${Launch.quoted(outdir)}/${place}/${folder.name}
    """
}
