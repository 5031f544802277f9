// Nuclei of every frame of a batch: one label image a frame, its cells, and their outlines if asked.
process SEGMENT {
    tag "${meta.id}"
    label 'cellpose'
    label 'gpu'
    memory { Needs.frame(meta, task) }
    time { Needs.batch(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(frames), path(calibration, stageAs: 'calibration/*')
    path model
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('labels'), emit: labels
    tuple val(task.process), eval('screen_segment.py --version'), topic: versions

    script:
    """
    screen_segment.py ${frames} labels --model ${model} --calibration calibration ${how.args} --threads ${task.cpus}
    """

    stub:
    """
    mkdir labels
    """
}
