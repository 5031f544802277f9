// The segmentation of a slab's probabilities, and how they compare with labels. Of probabilities that are committed already too.
process LABEL {
    tag "${meta.id}"
    label 'volume'
    label 'single'
    cache false                                 // it takes seconds, and may read the output folder
    memory { Needs.tile(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slab), path(maps, stageAs: 'maps/*'), path(folders, stageAs: 'folders/?')
    val how

    output:
    tuple val(meta), path('labelled'), emit: labelled
    tuple val(task.process), eval('volume_label.py --version'), topic: versions

    script:
    """
    volume_label.py ${slab} ${maps} labelled --folders folders ${how.args}
    """

    stub:
    """
    mkdir labelled
    """
}
