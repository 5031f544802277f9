// What makes one image of the slabs of a volume: metadata and pictures. The slabs are in the output folder.
process ASSEMBLE {
    tag "${meta.id}"
    label 'volume'
    label 'single'
    cache false
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(volume), path(folders, stageAs: 'folders/?')
    path outdir, stageAs: 'outdir'
    val how

    output:
    tuple val(meta), path('assembled'), emit: assembled
    tuple val(task.process), eval('volume_assemble.py --version'), topic: versions

    script:
    """
    volume_assemble.py ${volume} outdir assembled --folders folders ${how.args}
    """

    stub:
    """
    mkdir assembled
    """
}
