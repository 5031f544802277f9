// The label images of a part of a slide's tiles, of what they were flooded with: each object finished where all of it is seen.
process FINISH {
    tag "${meta.id} ${meta.layer} ${meta.part}"
    label 'cellpose'
    label 'single'
    cache 'deep'                                // the planner writes the slide anew in every run
    memory { Needs.tile(meta, task) }
    time { Needs.part(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(nuclei), path(flooded, stageAs: 'flooded/*')
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path("labelled_${meta.part}"), emit: labelled

    script:
    """
    tissue_finish.py ${slide} ${meta.part} ${nuclei} labelled_${meta.part} flooded/* --layer ${meta.layer} ${how.args}
    """

    stub:
    """
    mkdir labelled_${meta.part}
    """
}
