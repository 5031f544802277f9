// What became of every image: images.tsv, failures.tsv, run.json. On the head, by plain Python, when all batches are committed.
process SUMMARY {
    label 'head'
    cache false

    input:
    path plan
    val committed                               // all of them: what this process waits for
    stdin                                       // params and versions, as JSON
    val outdir
    val how

    output:
    path 'summary.json'

    script:
    """
    summary.py ${plan} summary.json --outdir '${outdir}' ${how.args} --provenance /dev/stdin
    """

    stub:
    """
    echo '{"text": "${committed.size()} batches committed (stub)", "error": null}' > summary.json
    """
}
