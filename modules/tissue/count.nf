// Every nucleus, or cell, of a slide, with its size and its box, of what its tiles were flooded with.
process COUNT {
    tag "${meta.id} ${meta.layer}"
    label 'cellpose'
    label 'single'
    cache 'deep'                                // the planner writes the slide anew in every run
    memory { Needs.whole(meta, task) }
    time { Needs.slide(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(flooded, stageAs: 'flooded/*')
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('nuclei'), emit: nuclei

    script:
    """
    tissue_count.py ${slide} nuclei flooded/* --layer ${meta.layer} ${how.args}
    """

    stub:
    """
    mkdir nuclei
    """
}
