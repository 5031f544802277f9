// Quality control of the images and cells in the output folder, by rules.
process QC {
    label 'profiles'
    cache false                                 // its files are moved away
    errorStrategy { Warnings.verdict(task, 'qc/images.parquet') }

    input:
    path outdir, stageAs: 'results'
    path rules, stageAs: 'rules/*'
    val how

    output:
    path 'qc/*.parquet'

    script:
    """
    screen_qc.py results qc --rules ${rules} ${how.args} --threads ${task.cpus}
    """

    stub:
    """
    mkdir qc && touch qc/images.parquet qc/cells.parquet
    """
}
