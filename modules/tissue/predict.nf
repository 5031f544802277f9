// What the network sees in a part of a slide's tiles, and where the pixels of its objects come to rest.
process PREDICT {
    tag "${meta.id} ${meta.layer} ${meta.part}"
    label 'cellpose'
    label 'gpu'
    cache 'deep'                                // the planner writes the slide anew in every run
    memory { Needs.tile(meta, task) }
    time { Needs.part(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(pixels), path(prepared), path(model)
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path("predicted_${meta.part}"), emit: predicted
    tuple val(task.process), eval('tissue_predict.py --version'), topic: versions

    script:
    """
    tissue_predict.py ${slide} ${meta.part} ${pixels} ${prepared} predicted_${meta.part} --model ${model} --layer ${meta.layer} \\
        --threads ${task.cpus} ${how.args}
    """

    stub:
    """
    mkdir predicted_${meta.part}
    """
}
