// The single cells in the output folder as AnnData, a file a plate.
process TO_ANNDATA {
    label 'profiles'
    cache false                                 // its files are moved away
    errorStrategy { Warnings.verdict(task, 'profiles/h5ad') }

    input:
    path outdir, stageAs: 'results'
    val how

    output:
    path 'h5ad'

    script:
    """
    screen_to_anndata.py results h5ad --threads ${task.cpus}
    """

    stub:
    """
    mkdir h5ad
    """
}
