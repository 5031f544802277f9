// CellProfiler's features of every cell of a batch, from the label image that EMBED sees too: rows join by label.
process MEASURE {
    tag "${meta.id}"
    label 'profiles'
    memory { Needs.frame(meta, task) }
    time { Needs.batch(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(frames), path(calibration, stageAs: 'calibration/*'), path(labels)
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('measures'), emit: features
    tuple val(task.process), eval('screen_measure.py --version'), topic: versions

    script:
    """
    screen_measure.py ${frames} ${labels} measures --calibration calibration ${how.args} --threads ${task.cpus}
    """

    stub:
    """
    mkdir measures
    """
}
