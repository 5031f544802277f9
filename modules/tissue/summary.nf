// What became of every slide: slides.tsv, failures.tsv, run.json. On the head, by plain Python, when all slides are committed.
process SUMMARY {
    label 'head'
    cache false

    input:
    path plan
    stdin                                       // params, versions, and what became of the slides, as JSON
    val outdir
    val how

    output:
    path 'summary.json'

    script:
    """
    tissue_summary.py ${plan} summary.json --outdir ${Places.quoted(outdir)} ${how.args} --provenance /dev/stdin
    """

    stub:
    """
    echo '{"text": "(stub)", "error": null}' > summary.json
    """
}
