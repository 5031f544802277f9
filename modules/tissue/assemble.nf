// What the user gets of a slide: its label images as OME-Zarr and TIFF, pictures, and what was found and what it cost.
process ASSEMBLE {
    tag "${meta.id}"
    label 'cellpose'
    label 'single'
    cache 'deep'                                // the planner writes the slide anew in every run
    memory { Needs.tile(meta, task) }
    time { Needs.slide(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(pixels), path(nuclei, stageAs: 'nuclei/*'), path(cells, stageAs: 'cells/*'), path(measured, stageAs: 'measured/*'), path(tables)
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('assembled'), emit: assembled
    tuple val(task.process), eval('tissue_assemble.py --version'), topic: versions

    script:
    def folders = [cells: cells, measured: measured, tables: tables].findAll { _name, paths -> paths }.keySet().collect { name -> "--${name} ${name}" }
    """
    tissue_assemble.py ${slide} ${pixels} assembled --nuclei nuclei ${folders.join(' ')} ${how.args}
    """

    stub:
    """
    mkdir assembled
    """
}
