// What must be known of a whole slide before its tiles: the diameter of what is looked for, and where there is tissue.
process PREPARE {
    tag "${meta.id} ${meta.layer}"
    label 'cellpose'
    label 'gpu'
    cache 'deep'                                // the planner writes the slide anew in every run
    memory { Needs.tile(meta, task) }
    time { Needs.slide(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(pixels), path(model)
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('prepared'), emit: prepared

    script:
    """
    tissue_prepare.py ${slide} ${pixels} prepared --model ${model} --layer ${meta.layer} ${how.args} --threads ${task.cpus}
    """

    stub:
    """
    mkdir prepared
    """
}
