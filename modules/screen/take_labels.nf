// Nuclei of a batch from label images that an earlier run has left, in place of SEGMENT.
process TAKE_LABELS {
    tag "${meta.id}"
    label 'cellpose'
    memory { Needs.frame(meta, task) }
    time { Needs.batch(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(frames), path(kept, stageAs: 'kept/*')
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('labels'), emit: labels
    tuple val(task.process), eval('screen_take_labels.py --version'), topic: versions

    script:
    """
    screen_take_labels.py ${frames} kept labels ${how.args}
    """

    stub:
    """
    mkdir labels
    """
}
