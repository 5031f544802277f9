// The report on an output folder: a page for a browser, and its pictures.
process REPORT {
    label 'profiles'
    cache false                                 // its files are moved away
    errorStrategy { Warnings.verdict(task, 'multiqc_report.html') }

    input:
    path outdir, stageAs: 'results'
    path look,   stageAs: 'look/*'

    output:
    path 'report'

    script:
    """
    report.py results report --look look --threads ${task.cpus}
    """

    stub:
    """
    mkdir -p report/qc/pictures && touch report/multiqc_report.html
    """
}
