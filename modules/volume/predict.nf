// How likely each voxel of a slab is of each class. Tiles see what lies around the slab too, so that no slab shows in the result.
process PREDICT {
    tag "${meta.id}"
    label 'volume'
    label 'gpu'
    cache 'deep'                                // the slab's JSON is written anew in every run
    memory { Needs.tile(meta, task) }
    time { Needs.predicted(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slab), path(checkpoint), path(folders, stageAs: 'folders/?')
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('predicted'), emit: predicted
    tuple val(task.process), eval('volume_predict.py --version'), topic: versions

    script:
    """
    volume_predict.py ${slab} ${checkpoint} predicted --folders folders --threads ${task.cpus} ${how.args}
    """

    stub:
    """
    mkdir predicted
    """
}
