// idrstream: microscopy too large to store, streamed batch by batch into single-cell profiles.

include { PLAN    } from './modules/plan'
include { LIST_FILES } from './modules/list_files'
include { BEGIN   } from './modules/begin'
include { SCREEN  } from './workflows/screen'
include { RECORD_WARNINGS } from './modules/record_warnings'
include { REPORTING } from './workflows/reporting'

workflow {
    schema = file("${projectDir}/nextflow_schema.json", glob: false)
    if( params.help ) {
        println Help.text(Settings.schema(schema), params)
        exit 0
    }

    Places.check(projectDir)
    if( params.report_only ) {
        results = Launch.begun(params.outdir)                           // not claimed: a run may be writing there
        Warnings.open(results, log)
        REPORTING(channel.value(true), results).toList().map { _kept ->
            if( Warnings.all() )
                error Warnings.all().join('\n')
        }
        return
    }

    settings = Settings.of(Settings.schema(schema), params)        // with the defaults of the workflow

    // A file that is not there is the planner's to say, together with everything else that is wrong.
    outdir = Launch.writable(settings.outdir)
    Launch.claim(outdir)
    Warnings.open(outdir, log)
    study = Launch.named(settings.study, "${projectDir}/assets/studies", '.yml')
    model = Launch.model(
        settings.model,
        "${projectDir}/assets/models/nuclei/nuclei.pth",
        Launch.read(schema),
        env('CELLPOSE_MODELS') ?: 'https://www.cellpose.org/models',
        workflow.workDir.resolve("models/${workflow.sessionId}"),
        log
    )
    families = settings.stop_after ? [] : "${settings.features}".tokenize(',')     // what is none, the planner says
    network = settings.embedder == 'deepprofiler' ? [Launch.existing(settings.dp_config), Launch.existing(settings.dp_checkpoint)] : []
    embed_model = Launch.existing(settings.embed_model)
    labelled = Launch.existing(settings.phenotypes)
    rules = Launch.existing(settings.qc_rules ?: "${projectDir}/assets/qc.yml")
    ascp = Launch.existing(settings.ascp)
    key = Launch.existing(settings.aspera_key)
    images = Launch.folder(settings.input)      // in place of a table
    listing = images ? LIST_FILES(images.toString(), [outdir, workflow.workDir].findAll { path -> path }*.toString()) : []
    planned = PLAN(
        Launch.json([
            params: settings,
            launch_dir: workflow.launchDir.toString(),
            session: workflow.sessionId.toString(),
            source: Launch.folder(settings.source) as boolean,
        ]),
        schema,
        Launch.existing(settings.input),
        listing,
        Launch.beside(settings.streams, '--streams'),
        Launch.existing(settings.screens),
        Launch.existing(settings.zarr_index),
        ascp,
        key,
        study,
        rules,
        model,
        network ? network[0] : [],
        network ? network[1] : [],
        embed_model,
        labelled,
        file("${projectDir}/containers"),
        outdir
    )
    agreed = planned.map { folder ->
        def said = Launch.read(folder)
        def problems = said.problems ?: Places.faults(said.folders)
        if( problems )
            error "nothing was started, because of\n  ${problems.join('\n  ')}"
        log.info said.text
        def slots = Launch.slots(settings.max_inflight, said.batch_bytes, workflow.workDir)
        Gate.open(slots, said.batch_bytes, settings.on_failure == 'continue', settings.keep_intermediates)
        return folder
    }
    plan = agreed.combine(BEGIN(agreed, outdir)).map { folder, begun ->
        Launch.read(begun).said.each { line -> log.info line }
        return folder
    }.first()                                    // every batch reads it
    versions = channel.topic('versions').unique().toSortedList()
    run = versions.map { list -> [params: settings, nextflow: nextflow.version.toString(), versions: list.collectEntries { process, found -> [process, found] }] }
    finished = SCREEN(plan, [ascp, key], model, families, 'images' in "${settings.save}".tokenize(','), network, embed_model, labelled, rules, run, outdir)
    recorded = RECORD_WARNINGS(finished.filter { _file -> Warnings.all() }.map { _file -> Warnings.json() }, outdir)
    report = REPORTING(finished.combine(recorded.toList().map { done -> [done] }), outdir)
    finished.combine(report.toList().map { made -> [made] }).map { file, _made ->
        def said = Launch.read(file)
        log.info(([said.text] + Warnings.closing()).join('\n'))
        if( said.error )
            error said.error
    }
}
