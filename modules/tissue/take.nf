// A label image of a slide that exists already, as if LABEL and NUMBER had made it.
process TAKE {
    tag "${meta.id} ${layer}"
    label 'cellpose'
    label 'single'
    cache 'deep'                                // the planner writes the slide anew in every run
    memory { Needs.tile(meta, task) }
    time { Needs.slide(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), val(layer), path(slide), path(folders, stageAs: 'folders/?')       // the slide's local folders
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), val(layer), path('taken'), emit: taken

    script:
    """
    tissue_take.py ${slide} ${layer} taken --folders folders ${how.args}
    """

    stub:
    """
    mkdir taken
    """
}
