// idrstream: microscopy too large to store, streamed batch by batch into results.

include { SCREEN          } from './workflows/screen.nf'
include { TISSUE          } from './workflows/tissue.nf'
include { VOLUME          } from './workflows/volume.nf'
include { REPORTING       } from './workflows/common/reporting'
include { WEIGHTS; WEIGHTS as CELL_WEIGHTS } from './workflows/common/weights'
include { RECORD_WARNINGS } from './modules/common/record_warnings'

workflow {
    schema = Settings.schema(projectDir.resolve('nextflow_schema.json'))
    if( params.help ) {
        println Help.text(schema, params)
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

    settings = Settings.of(schema, params)                              // with the defaults of the workflow
    outdir = Outdir.open(settings.outdir)
    Warnings.open(outdir, log)

    // A file that is not there is the planner's to say, together with everything else that is wrong.
    source = Params.folder(settings.source) as boolean
    workspace = Workspace.folders(settings)
    data_dir = Params.place(settings.data_dir) ?: Params.parent(settings.data)
    launch = Json.text([params: settings, launch_dir: workflow.launchDir.toString(), session: workflow.sessionId.toString(), source: source, folder: data_dir ?: Params.parent(settings.input), workspace: workspace, unwritable: Workspace.unwritable(workspace)])
    common = [
        schema: projectDir.resolve('nextflow_schema.json'),
        locks: projectDir.resolve('containers'),
        input: Params.file(settings.input),
        folder: Params.parent(settings.input),                          // what paths in the table are relative to
        max_inflight: settings.max_inflight,
        go_on: settings.on_failure == 'continue',
        keep: settings.keep_intermediates,
    ]
    screen = [
        images: "${Params.folder(settings.input) ?: ''}",              // a folder in place of a table
        streams: Params.beside(settings.streams, '--streams'),
        screens: Params.file(settings.screens),
        study: Params.named(settings.study, "${projectDir}/assets/studies", '.yml'),
        zarr_index: Params.file(settings.zarr_index),
        ascp: Params.file(settings.ascp),
        aspera_key: Params.file(settings.aspera_key),
        families: settings.stop_after ? [] : "${settings.features}".tokenize(','),     // what is none, the planner says
        embedder: settings.embedder,
        embed_model: Params.file(settings.embed_model),
        dp_config: Params.file(settings.dp_config),
        dp_checkpoint: Params.file(settings.dp_checkpoint),
        save_images: 'images' in "${settings.save}".tokenize(','),
        phenotypes: Params.file(settings.phenotypes),
        qc_rules: Params.file(settings.qc_rules ?: "${projectDir}/assets/qc.yml"),
    ]
    tissue = [markers: Params.file(settings.markers), workspace: workspace] + Workspace.written(workspace)
    volume = [
        data: Params.file(settings.data),
        validation: Params.file(settings.validation),
        data_dir: data_dir,                                             // what the data's paths are relative to
        network: Params.file(settings.network),
        checkpoints: Params.files(settings.checkpoint, 'model_checkpoint_'),
    ]
    versions = channel.topic('versions').map { process, found -> [process.tokenize(':').last(), found] }.unique().toSortedList()
    run = versions.map { list -> [params: settings, nextflow: nextflow.version.toString(), versions: list.collectEntries()] }

    published = env('CELLPOSE_MODELS') ?: 'https://www.cellpose.org/models'
    model = WEIGHTS(Params.model(settings.model, projectDir, schema, published))
    cell_model = CELL_WEIGHTS(Params.model(settings.cell_model, projectDir, schema, published))

    // A line a workflow, of a name that nextflow_schema.json lists.
    finished = settings.workflow == 'screen' ? SCREEN(launch, common + screen, model, run, outdir)
        : settings.workflow == 'tissue' ? TISSUE(launch, common + tissue, model, cell_model, run, outdir)
        : settings.workflow == 'volume' ? VOLUME(launch, common.findAll { name, _value -> !(name in ['input', 'folder']) } + volume, run, outdir)
        : channel.empty()

    recorded = RECORD_WARNINGS(finished.filter { _file -> Warnings.all() }.map { _file -> Warnings.json() }, outdir)
    report = REPORTING(finished.combine(recorded.toList().map { all -> [all] }), outdir)
    finished.combine(report.toList().map { all -> [all] }).map { summary, _report ->
        def ended = Json.read(summary)
        log.info(([ended.text] + Warnings.closing()).join('\n'))
        if( ended.error )
            error ended.error
    }
}
