// One table of single cells of a batch, and the rows of its images.
process MERGE {
    tag "${meta.id}"
    label 'profiles'
    memory { Needs.cells(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(frames), path(calibration, stageAs: 'calibration/*'), path(labels), path(features)   // a folder, or two: deep features first; none if the run stops before
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('tables'), emit: tables
    tuple val(task.process), eval('screen_merge.py --version'), topic: versions

    script:
    """
    screen_merge.py ${frames} ${labels} ${features} tables --calibration calibration --batch ${meta.id} --threads ${task.cpus}
    """

    stub:
    """
    mkdir tables
    """
}
