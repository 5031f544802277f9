// The cells that a person labelled, by points in their outlines.
process MARK_PHENOTYPES {
    label 'profiles'
    cache false                                 // its files are moved away
    errorStrategy { Warnings.verdict(task, 'profiles/phenotypes') }

    input:
    path outdir, stageAs: 'results'
    path labelled, stageAs: 'labelled/*'
    val how

    output:
    tuple path('phenotypes'), path('notes.json')

    script:
    """
    screen_mark_phenotypes.py results ${labelled} phenotypes --notes notes.json --threads ${task.cpus}
    """

    stub:
    """
    mkdir phenotypes && echo '{}' > notes.json
    """
}
