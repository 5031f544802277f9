// Screens: plates of wells, a movie or an image a well, to one table of single cells.

include { FETCH     } from '../modules/fetch'
include { FETCH as FETCH_REFERENCES      } from '../modules/fetch'
include { FLATFIELD } from '../modules/flatfield'
include { FLATFIELD as FLATFIELD_FRAMES  } from '../modules/flatfield'
include { DIAMETER  } from '../modules/diameter'
include { SEGMENT   } from '../modules/segment'
include { EMBED     } from '../modules/embed'
include { DEEPPROFILER } from '../modules/deepprofiler'
include { MERGE     } from '../modules/merge'
include { COMMIT    } from '../modules/commit'
include { SUMMARY   } from '../modules/summary'
include { EXPORT    } from '../modules/export'
include { KEEP      } from '../modules/keep'

// How a stage is run: its command's arguments, and the digest of its code.
def how(plan, stage) {
    return plan.map { folder -> Launch.read(folder).stages[stage] }
}

// What is known of a plate, or of a batch, is a list of files; a stage takes (batch, folders) and gives (batch, one folder).
workflow SCREEN {
    take:
    plan                                        // folder: plan.json, and a JSON a batch and a plate
    model                                       // Cellpose weights
    network                                     // [configuration, checkpoint] of DeepProfiler; empty for our own embedder
    run                                         // params and versions, as JSON
    outdir                                      // where results are kept

    main:
    root = plan.map { folder -> Launch.read(folder).root ?: [] }
    batches = plan.flatMap { folder -> Launch.packets(folder, 'batches') }
    plates = plan.flatMap { folder -> Launch.packets(folder, 'plates') }

    // A plate tells its flat-field and its nuclei's diameter; a batch waits for the plates it spans, and for no other.
    references = FETCH_REFERENCES(plates.map { plate, file -> tuple(plate, file, []) }, root, how(plan, 'fetch')).frames
    fields = FLATFIELD(references, how(plan, 'flatfield')).fields
    diameters = DIAMETER(references.join(fields).filter { plate, _frames, _field -> plate.diameter }, model, how(plan, 'diameter'))
    found = fields.mix(diameters).map { plate, file -> tuple(plate.id, file) }
    ready = batches
        .flatMap { batch, file -> batch.plates.collect { plate -> tuple(plate, groupKey(batch, batch.known), file) } }
        .combine(found, by: 0)
        .map { _plate, batch, file, known -> tuple(batch, file, known) }
        .groupTuple()
        .map { batch, files, known -> tuple(batch.target, files.first(), known.sort { path -> path.name }) }
        .mix(batches.filter { batch, _file -> !batch.plates }.map { batch, file -> tuple(batch, file, []) })

    frames = FETCH(ready, root, how(plan, 'fetch')).frames
    own = FLATFIELD_FRAMES(frames.filter { batch, _frames -> batch.fields }, how(plan, 'flatfield')).fields
    known = ready.filter { batch, _file, _known -> !batch.fields }.map { batch, _file, known -> tuple(batch, known) }
        .mix(ready.join(own).map { batch, _file, known, field -> tuple(batch, known + [field]) })
    even = frames.join(known)
    labels = SEGMENT(even, model, how(plan, 'segment')).labels
    features = network
        ? DEEPPROFILER(even.join(labels), network[0], network[1], how(plan, 'embed')).features
        : EMBED(even.join(labels), how(plan, 'embed')).features
    tables = MERGE(even.join(labels).join(features), how(plan, 'merge')).tables
    heavy = frames.mix(own, labels, features, tables)
        .map { batch, folder -> tuple(groupKey(batch, batch.fields ? 5 : 4), folder) }
        .groupTuple()
        .map { batch, folders -> tuple(batch.target, Launch.text(folders)) }
    kept = ready.map { batch, file, _known -> tuple(batch, file) }.join(known).join(tables).join(labels).join(heavy)
    done = COMMIT(kept, outdir, how(plan, 'commit'))

    done.combine(batches.count()).subscribe { batch, receipt, planned -> log.info Launch.progress(batch, receipt, planned) }
    fields.mix(own).subscribe { meta, folder -> Launch.refusals(meta, folder).each { line -> log.warn line } }

    summary = SUMMARY(plan, done.toList(), run, outdir, how(plan, 'summary'))
    csv = KEEP(EXPORT(summary.map { outdir }, how(plan, 'export').filter { stage -> stage.args }), outdir)
    csv.subscribe { folder -> log.info "csv        ${folder}" }

    emit:
    summary = summary.combine(csv.toList().map { made -> [made] }).map { file, _made -> file }
}
