// The report on an output folder, made when a run has ended or, by --report_only, while it goes on.

include { REPORT } from '../../modules/common/report'
include { KEEP as KEEP_REPORT } from '../../modules/common/keep'

workflow REPORTING {
    take:
    ended                                       // a value when the output folder may be read
    outdir                                      // where results are kept

    main:
    assets = [projectDir.resolve('assets/multiqc.css'), projectDir.resolve('assets/multiqc.yml')]
    parts = REPORT(ended.map { _value -> outdir }, assets).flatMap { folder ->
        ['qc/pictures', 'multiqc_report.html'].collect { place -> tuple(folder.resolve(place), place) }
    }
    kept = KEEP_REPORT(parts, outdir)
    kept.filter { path -> path.endsWith('.html') }.subscribe { path -> log.info "report     ${path}" }

    emit:
    kept
}
