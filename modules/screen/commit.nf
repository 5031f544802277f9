// A batch becomes final: results, then ledger, in the output folder; its work folders deleted. On the head, by plain Python.
process COMMIT {
    tag "${meta.id}"
    label 'head'
    cache false
    maxForks 1                                  // two commits that replace the same batch would undo each other
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(batch), path(tables), path(labels), path(images), val(heavy)
    val outdir
    val how

    output:
    tuple val(meta), path('committed.json')

    script:
    def saved = images ? "--images ${images}" : ''
    """
    screen_commit.py ${batch} ${tables} ${labels} ${saved} --outdir ${Places.quoted(outdir)} --workdir ${Places.quoted(workflow.workDir)} ${how.args} \\
        --heavy ${Places.quoted(heavy)} > committed.json
    """

    stub:
    """
    echo '{"images": 0, "failed": 0, "cells": 0, "freed": 0}' > committed.json
    """
}
