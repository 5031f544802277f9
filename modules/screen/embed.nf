// Deep features of every cell of a batch, from the label image: rows join by label, there is nothing to match.
process EMBED {
    tag "${meta.id}"
    label 'cellpose'
    label 'gpu'
    memory { Needs.frame(meta, task) }
    time { Needs.batch(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(frames), path(calibration, stageAs: 'calibration/*'), path(labels)
    path model, stageAs: 'model/*'              // empty for an embedder that has its own
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('features'), emit: features
    tuple val(task.process), eval('screen_embed.py --version'), topic: versions

    script:
    def network = model ? "--embed_model ${model}" : ''
    """
    screen_embed.py ${frames} ${labels} features --calibration calibration ${network} ${how.args} --threads ${task.cpus}
    """

    stub:
    """
    mkdir features
    """
}
