// A slab or volume becomes final: results, then ledger, in the output folder; work folders deleted. On the head, by plain Python.
process COMMIT {
    tag "${meta.id}"
    label 'head'
    cache false
    maxForks 1
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(packet), path(results, stageAs: 'results/*'), val(heavy)
    val outdir
    val how

    output:
    tuple val(meta), path('committed.json')

    script:
    """
    volume_commit.py ${packet} ${results} --outdir ${Places.quoted(outdir)} --workdir ${Places.quoted(workflow.workDir)} ${how.args} \\
        --heavy ${Places.quoted(heavy)} > committed.json
    """

    stub:
    """
    echo '{"results": [], "freed": 0}' > committed.json
    """
}
