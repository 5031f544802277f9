// The report on an output folder: a page for a browser, and its pictures. It fails no run: without it, its folder is empty.
process REPORT {
    label 'profiles'
    cache false                                 // its files are moved away

    input:
    path outdir, stageAs: 'results'
    path look,   stageAs: 'look/*'

    output:
    path 'report'

    script:
    """
    report.py results report --look look --threads ${task.cpus} || mkdir report
    """

    stub:
    """
    mkdir -p report/qc/pictures && touch report/multiqc_report.html
    """
}
