// Profiles of wells, from the single cells in the output folder.
process PLATE_PROFILES {
    label 'profiles'
    cache false                                 // its files are moved away

    input:
    path outdir, stageAs: 'results'
    val how

    output:
    path 'wells'

    script:
    """
    plate_profiles.py results wells ${how.args} --threads ${task.cpus}
    """

    stub:
    """
    mkdir wells && echo '{"notes": []}' > wells/notes.json
    """
}
