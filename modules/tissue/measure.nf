// What is measured of the nuclei and cells in a part of a slide's tiles, in every channel, out of the slide's files; and the cells there.
process MEASURE {
    tag "${meta.id} ${meta.part}"
    label 'cellpose'
    label 'single'
    cache 'deep'                                // the planner writes the slide anew in every run
    memory { Needs.tile(meta, task) }
    time { Needs.part(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(nuclei, stageAs: 'nuclei/*'), path(cells, stageAs: 'cells/*'), path(folders, stageAs: 'folders/?')
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path("measured_${meta.part}"), emit: measured
    tuple val(task.process), eval('tissue_measure.py --version'), topic: versions

    script:
    def paired = cells ? '--cells cells' : ''
    """
    tissue_measure.py ${slide} ${meta.part} measured_${meta.part} --nuclei nuclei ${paired} --folders folders ${how.args}
    """

    stub:
    """
    mkdir measured_${meta.part}
    """
}
