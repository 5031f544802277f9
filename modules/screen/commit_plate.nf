// What was learnt of a plate is kept in the output folder, where its batches find it; its frames are deleted. On the head.
process COMMIT_PLATE {
    tag "${meta.id}"
    label 'head'
    cache false
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(packet), path(calibration, stageAs: 'calibration/*'), val(heavy)
    val outdir
    val how

    output:
    tuple val(meta), path('kept.json')

    script:
    """
    screen_commit_plate.py ${packet} calibration --outdir ${Places.quoted(outdir)} --workdir ${Places.quoted(workflow.workDir)} --heavy ${Places.quoted(heavy)} ${how.args} \\
        > kept.json
    """

    stub:
    """
    mkdir ${meta.id} && echo "{\\"folder\\": \\"\$PWD/${meta.id}\\"}" > kept.json
    """
}
