// The report on an output folder, made when a run has ended or, by --report_only, while it goes on.

include { REPORT } from '../modules/report'
include { KEEP as KEEP_REPORT } from '../modules/keep'

workflow REPORTING {
    take:
    ended                                       // a value when the output folder may be read
    outdir                                      // where results are kept

    main:
    made = REPORT(ended.map { _value -> outdir }, [projectDir.resolve('assets/multiqc.css'), projectDir.resolve('assets/multiqc.yml')])
        .branch { folder ->
            whole: folder.list()
            none: true
        }
    made.none.subscribe { folder -> log.warn "no report was made, all else is there; why, says ${folder.parent}/.command.log" }
    parts = made.whole.flatMap { folder ->
        [tuple(folder.resolve('qc/pictures'), "${outdir}/qc"), tuple(folder.resolve('multiqc_report.html'), outdir)]
    }
    kept = KEEP_REPORT(parts)
    kept.filter { path -> path.endsWith('.html') }.subscribe { path -> log.info "report     ${path}" }

    emit:
    kept
}
