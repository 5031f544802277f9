// What became of every volume: volumes.tsv, slabs.tsv, scores.tsv, failures.tsv, run.json. On the head, by plain Python, at the end.
process SUMMARY {
    label 'head'
    cache false

    input:
    path plan
    stdin                                       // params, versions, and what became of the slabs, as JSON
    val outdir
    val how

    output:
    path 'summary.json'

    script:
    """
    volume_summary.py ${plan} summary.json --outdir ${Places.quoted(outdir)} ${how.args} --provenance /dev/stdin
    """

    stub:
    """
    echo '{"text": "(stub)", "error": null}' > summary.json
    """
}
