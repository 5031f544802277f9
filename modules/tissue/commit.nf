// A slide becomes final: results, then ledger, in the output folder; its work folders deleted. On the head, by plain Python.
process COMMIT {
    tag "${meta.id}"
    label 'head'
    cache false
    maxForks 1
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(assembled), path(tables), val(heavy)           // no tables of a slide of which nothing is measured
    val outdir
    val how

    output:
    tuple val(meta), path('committed.json')

    script:
    """
    tissue_commit.py ${slide} ${assembled} ${tables} --outdir ${Places.quoted(outdir)} --workdir ${Places.quoted(workflow.workDir)} ${how.args} \\
        --heavy ${Places.quoted(heavy)} > committed.json
    """

    stub:
    """
    echo '{"nuclei": 0, "uncertified": 0, "freed": 0}' > committed.json
    """
}
