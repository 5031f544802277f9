// What the network sees in a part of a slide's tiles, flooded from the maxima of its distances.
process FLOOD {
    tag "${meta.id} ${meta.search.layers.join(' ')} ${meta.part}"
    label 'cellpose'
    label 'gpu'
    cache 'deep'                                // the planner writes the slide anew in every run
    memory { Needs.tile(meta, task) }
    time { Needs.part(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(pixels), path(normalized), path(model)
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path("flooded_${meta.part}"), emit: flooded
    tuple val(task.process), eval('tissue_flood.py --version'), topic: versions

    script:
    """
    tissue_flood.py ${slide} ${meta.part} ${pixels} ${normalized} flooded_${meta.part} --model ${model} --layers ${meta.search.layers.join(',')} \\
        --threads ${task.cpus} ${how.args}
    """

    stub:
    """
    mkdir flooded_${meta.part}
    """
}
