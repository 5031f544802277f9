// IDR_stream's tables, from what is in the output folder.
process EXPORT {
    label 'profiles'
    cache false                                 // its files are moved away

    input:
    path outdir, stageAs: 'results'
    val how

    output:
    path '{csv,streams}'

    script:
    """
    export.py results ${how.args}
    """

    stub:
    """
    mkdir ${how.args.tokenize().first()}
    """
}
