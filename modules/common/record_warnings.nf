// What the run has warned of so far, in the output folder for the report. On the head, by plain Python.
process RECORD_WARNINGS {
    label 'head'
    cache false
    errorStrategy { Warnings.verdict(task, 'pipeline_info/warnings.json') }

    input:
    stdin                                       // JSON: a list of sentences
    val outdir

    output:
    val true

    script:
    """
    record_warnings.py ${Places.quoted(outdir)}
    """

    stub:
    """
    """
}
