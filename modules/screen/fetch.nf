// Frames of a batch (or of a plate), as their archive stores them, and a row an image that says how it went.
process FETCH {
    tag "${meta.id}"
    label 'acquire'
    cache 'deep'                                // the planner writes the batch anew in every run
    maxForks 1                                  // --connections are all that a server gets; batches after this one can wait
    memory { Needs.frame(meta, task) }
    time { Needs.batch(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(batch), path(folders, stageAs: 'folders/?'), path(calibration, stageAs: 'calibration/*')   // the images' local folders
    path ascp, stageAs: 'ascp/*'                // the user's own, and a key; empty if Aspera is not used
    path key,  stageAs: 'key/*'
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('frames'), emit: frames
    tuple val(task.process), eval('screen_fetch.py --version'), topic: versions

    script:
    def aspera = [ascp ? "--ascp ${ascp}" : '', key ? "--aspera_key ${key}" : ''].join(' ')
    def options = [task.attempt > task.maxRetries ? '--last' : '', aspera, how.args].join(' ')
    """
    screen_fetch.py ${batch} frames --folders folders --calibration calibration ${options}
    """

    stub:
    """
    mkdir frames
    """
}
