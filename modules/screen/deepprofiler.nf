// Deep features of every cell of a batch by DeepProfiler itself, with the user's network.
process DEEPPROFILER {
    tag "${meta.id}"
    label 'deepprofiler'
    label 'gpu'
    memory { Needs.frame(meta, task) }
    time { Needs.batch(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(frames), path(calibration, stageAs: 'calibration/*'), path(labels)
    path config
    path checkpoint
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('features'), emit: features
    tuple val(task.process), eval('screen_embed_deepprofiler.py --version'), topic: versions

    script:
    """
    screen_embed_deepprofiler.py ${frames} ${labels} features --calibration calibration --config ${config} --checkpoint ${checkpoint} \\
        ${how.args} --threads ${task.cpus}
    """

    stub:
    """
    mkdir features
    """
}
