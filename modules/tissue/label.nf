// The label images of a part of a slide's tiles: each object finished by a tile that sees all of it.
process LABEL {
    tag "${meta.id} ${meta.layer} ${meta.part}"
    label 'cellpose'
    label 'single'
    cache 'deep'                                // the planner writes the slide anew in every run
    memory { Needs.tile(meta, task) }
    time { Needs.part(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(nuclei), path(predicted, stageAs: 'predicted/*')
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path("labelled_${meta.part}"), emit: labelled

    script:
    """
    tissue_label.py ${slide} ${meta.part} ${nuclei} labelled_${meta.part} predicted/* --layer ${meta.layer} ${how.args}
    """

    stub:
    """
    mkdir labelled_${meta.part}
    """
}
