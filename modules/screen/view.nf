// A view of all cells in the output folder; which one, the name says under which this is included: PLATE_PROFILES is screen_plate_profiles.py.
process VIEW {
    label 'profiles'
    cache false                                 // its files are moved away
    errorStrategy { Warnings.verdict(task, place) }

    input:
    path outdir, stageAs: 'results'
    val place                                   // where its folder will lie in the output folder
    path table, stageAs: 'table/*'              // the user's, of a view that takes one
    val how

    output:
    tuple val(place), path("${place.tokenize('/').last()}"), path('notes.json')

    script:
    """
    screen_${task.process.tokenize(':').last().toLowerCase()}.py results ${table} ${place.tokenize('/').last()} ${how.args} \\
        --notes notes.json --threads ${task.cpus}
    """

    stub:
    """
    mkdir ${place.tokenize('/').last()} && echo '{"lines": [], "notes": []}' > notes.json
    """
}
