// The numbers of a slide's nuclei, or cells, 1 ... n, and the proof that each was seen whole.
process NUMBER {
    tag "${meta.id} ${meta.layer}"
    label 'cellpose'
    label 'single'
    cache 'deep'                                // the planner writes the slide anew in every run
    memory { Needs.whole(meta, task) }
    time { Needs.slide(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(nuclei), path(labelled, stageAs: 'labelled/*')
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('numbers'), emit: numbers

    script:
    """
    tissue_number.py ${slide} ${nuclei} numbers labelled/* --layer ${meta.layer} ${how.args}
    """

    stub:
    """
    mkdir numbers
    """
}
