// Which nucleus of a slide is whose cell: both get one label.
process PAIR {
    tag "${meta.id}"
    label 'cellpose'
    label 'single'
    cache 'deep'                                // the planner writes the slide anew in every run
    memory { Needs.tile(meta, task) }
    time { Needs.slide(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(nuclei, stageAs: 'nuclei/*'), path(cells, stageAs: 'cells/*')
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('paired'), emit: paired

    script:
    """
    tissue_pair.py ${slide} paired --nuclei nuclei --cells cells ${how.args}
    """

    stub:
    """
    mkdir paired
    """
}
