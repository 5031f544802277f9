// The single cells in the output folder, normalised to the negative controls of the screen.
process NORMALIZE_CELLS {
    label 'profiles'
    cache false                                 // its files are moved away
    errorStrategy { Warnings.verdict(task, 'profiles/normalized_cells') }

    input:
    path outdir, stageAs: 'results'
    val how

    output:
    path 'normalized_cells'

    script:
    """
    screen_normalize_cells.py results normalized_cells ${how.args} --threads ${task.cpus}
    """

    stub:
    """
    mkdir normalized_cells
    """
}
