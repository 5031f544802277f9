// The channels of a slide that networks look at, read once from wherever it lies, and their contrast.
process READ {
    tag "${meta.id}"
    label 'acquire'
    cache 'deep'                                // the planner writes the slide anew in every run
    memory { Needs.tile(meta, task) }
    time { Needs.slide(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(folders, stageAs: 'folders/?')       // the slide's local folders
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('slide'), emit: slide
    tuple val(task.process), eval('tissue_read.py --version'), topic: versions

    script:
    """
    tissue_read.py ${slide} slide --folders folders ${how.args}
    """

    stub:
    """
    mkdir slide
    """
}
