// The frames of a batch as they were measured, and their label images, as fields of OME-Zarr plates: to be looked at.
process SAVE_IMAGES {
    tag "${meta.id}"
    label 'acquire'
    memory { Needs.frame(meta, task) }
    time { Needs.batch(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(frames), path(calibration, stageAs: 'calibration/*'), path(labels)
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('saved'), emit: images
    tuple val(task.process), eval('screen_save_images.py --version'), topic: versions

    script:
    """
    screen_save_images.py ${frames} ${labels} saved --calibration calibration
    """

    stub:
    """
    mkdir saved
    """
}
