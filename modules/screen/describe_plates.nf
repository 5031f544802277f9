// What the OME-Zarr plates in the output folder hold, which no batch knows alone. On the head, by plain Python.
process DESCRIBE_PLATES {
    label 'head'
    cache false
    errorStrategy { Warnings.verdict(task, 'images', "does not name this run's fields") }

    input:
    val outdir

    output:
    stdout

    script:
    """
    screen_describe_plates.py ${Places.quoted(outdir)}
    """

    stub:
    """
    """
}
