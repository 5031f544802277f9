// What people open of a slide's objects: Parquet, QuPath's TSV and GeoJSON, AnnData, and the table of its SpatialData store.
process TABLES {
    tag "${meta.id}"
    label 'profiles'
    label 'single'
    cache 'deep'                                // the planner writes the slide anew in every run
    time { Needs.slide(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(slide), path(measured, stageAs: 'measured/*'), path(pairs)        // [] without PAIR
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path('tables'), emit: tables
    tuple val(task.process), eval('tissue_tables.py --version'), topic: versions

    script:
    def paired = pairs ? "--pairs ${pairs}" : ''
    """
    tissue_tables.py ${slide} tables measured/* ${paired} ${how.args}
    """

    stub:
    """
    mkdir tables
    """
}
