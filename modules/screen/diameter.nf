// The diameter of a plate's nuclei, from a few frames of it: cheaper and steadier than an estimate an image.
process DIAMETER {
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
    tuple val(meta), path("${meta.id}.json")

    script:
    """
    screen_diameter.py ${frames} ${meta.id}.json --model ${model} --calibration calibration --threads ${task.cpus} ${how.args}
    """

    stub:
    """
    touch ${meta.id}.json
    """
}
