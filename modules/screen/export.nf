// IDR_stream's tables, from what is in the output folder.
process EXPORT {
    label 'profiles'
    cache false                                 // its files are moved away
    errorStrategy { Warnings.verdict(task, how.args.tokenize().first()) }

    input:
    path outdir, stageAs: 'results'
    val how

    output:
    tuple path('{csv,streams}'), path('notes.json')

    script:
    """
    screen_export.py results ${how.args} --notes notes.json
    """

    stub:
    """
    mkdir ${how.args.tokenize().first()} && echo '{}' > notes.json
    """
}
