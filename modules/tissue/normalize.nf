// What a network for deep watershed must know of a whole slide: the levels of its channels, and how to equalize them.
process NORMALIZE {
    tag "${meta.id} ${meta.search.layers.join(' ')}"
    label 'cellpose'
    cache 'deep'                                // the planner writes the slide anew in every run
    memory { Needs.tile(meta, task) }
    time { Needs.slide(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(pixels), path(model)
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('normalized'), emit: normalized

    script:
    """
    tissue_normalize.py ${slide} ${pixels} normalized --model ${model} --layers ${meta.search.layers.join(',')} ${how.args} --threads ${task.cpus}
    """

    stub:
    """
    mkdir normalized
    """
}
