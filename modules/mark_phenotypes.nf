// The cells that a person labelled, by points in their outlines.
process MARK_PHENOTYPES {
    label 'profiles'
    cache false                                 // its files are moved away

    input:
    path outdir, stageAs: 'results'
    path labelled, stageAs: 'labelled/*'
    val how

    output:
    path 'phenotypes'

    script:
    """
    mark_phenotypes.py results ${labelled} phenotypes --threads ${task.cpus}
    """

    stub:
    """
    mkdir phenotypes && echo '{"notes": []}' > phenotypes/notes.json
    """
}
