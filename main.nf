// idrstream: microscopy too large to store, streamed batch by batch into results.

include { SCREEN          } from './workflows/screen.nf'
include { REPORTING       } from './workflows/common/reporting'
include { RECORD_WARNINGS } from './modules/common/record_warnings'

workflow {
    if( params.help ) {
        println Params.help("${projectDir}/nextflow_schema.json", params)
        exit 0
    }

    Places.check(projectDir)
    if( params.report_only ) {
        results = Outdir.begun(params.outdir)                           // not claimed: a run may be writing there
        Warnings.open(results, log)
        REPORTING(channel.value(true), results).toList().map { _kept ->
            if( Warnings.all() )
                error Warnings.all().join('\n')
        }
        return
    }

    schema = file("${projectDir}/nextflow_schema.json", glob: false)
    Params.checkWorkflow(params.workflow, Json.read(schema))
    outdir = Outdir.open(params.outdir)
    Warnings.open(outdir, log)

    // A file that is not there is the planner's to say, together with everything else that is wrong.
    source = Params.folder(params.source) as boolean
    launch = Json.text([params: params, launch_dir: workflow.launchDir.toString(), session: workflow.sessionId.toString(), source: source])
    common = [
        schema: schema,
        locks: file("${projectDir}/containers"),
        input: Params.file(params.input),
        model: Params.model(params.model, projectDir, Json.read(schema), env('CELLPOSE_MODELS') ?: 'https://www.cellpose.org/models'),
        max_inflight: params.max_inflight,
        go_on: params.on_batch_failure == 'continue',
        keep: params.keep_intermediates,
    ]
    screen = [
        streams: Params.beside(params.streams, '--streams'),
        screens: Params.file(params.screens),
        study: Params.named(params.study, "${projectDir}/assets/studies", '.yml'),
        zarr_index: Params.file(params.zarr_index),
        ascp: Params.file(params.ascp),
        aspera_key: Params.file(params.aspera_key),
        families: params.stop_after ? [] : "${params.features}".tokenize(','),     // what is none, the planner says
        embedder: params.embedder,
        embed_model: Params.file(params.embed_model),
        dp_config: Params.file(params.dp_config),
        dp_checkpoint: Params.file(params.dp_checkpoint),
        save_images: params.save_images,
        phenotypes: Params.file(params.phenotypes),
        qc_rules: Params.file(params.qc_rules ?: "${projectDir}/assets/qc.yml"),
    ]
    versions = channel.topic('versions').map { process, found -> [process.tokenize(':').last(), found] }.unique().toSortedList()
    run = versions.map { list -> [params: params, nextflow: nextflow.version.toString(), versions: list.collectEntries()] }

    // A line a workflow, of a name that nextflow_schema.json lists.
    finished = params.workflow == 'screen' ? SCREEN(launch, common + screen, run, outdir) : channel.empty()

    recorded = RECORD_WARNINGS(finished.filter { _file -> Warnings.all() }.map { _file -> Warnings.json() }, outdir)
    report = REPORTING(finished.combine(recorded.toList().map { all -> [all] }), outdir)
    finished.combine(report.toList().map { all -> [all] }).map { summary, _report ->
        def ended = Json.read(summary)
        log.info(([ended.text] + Warnings.closing()).join('\n'))
        if( ended.error )
            error ended.error
    }
}
