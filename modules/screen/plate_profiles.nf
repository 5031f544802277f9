// Profiles of wells, from the single cells in the output folder.
process PLATE_PROFILES {
    label 'profiles'
    cache false                                 // its files are moved away
    errorStrategy { Warnings.verdict(task, 'profiles/wells') }

    input:
    path outdir, stageAs: 'results'
    val how

    output:
    tuple path('wells'), path('notes.json')

    script:
    """
    screen_plate_profiles.py results wells ${how.args} --notes notes.json --threads ${task.cpus}
    """

    stub:
    """
    mkdir wells && echo '{}' > notes.json
    """
}
