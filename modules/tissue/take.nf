// A label image of a slide that exists already, as if LABEL and NUMBER had made it.
process TAKE {
    tag "${meta.id} ${meta.layer}"
    label 'cellpose'
    label 'single'
    cache 'deep'                                // the planner writes the slide anew in every run
    memory { Needs.tile(meta, task) }
    time { Needs.slide(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(folders, stageAs: 'folders/?')       // the slide's local folders
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('taken/*'), emit: taken      // as the folders of a layer's steps

    script:
    """
    tissue_take.py ${slide} ${meta.layer} taken --folders folders ${how.args}
    """

    stub:
    """
    mkdir -p taken/labelled taken/numbers
    """
}
