// Screens: plates of wells, a movie or an image a well, to one table of single cells.

include { FETCH    } from '../modules/fetch'
include { FETCH as FETCH_REFERENCES } from '../modules/fetch'
include { DIAMETER } from '../modules/diameter'
include { SEGMENT  } from '../modules/segment'
include { EMBED    } from '../modules/embed'
include { MERGE    } from '../modules/merge'
include { COMMIT   } from '../modules/commit'
include { SUMMARY  } from '../modules/summary'

// How a stage is run: its command's arguments, and the digest of its code.
def how(plan, stage) {
    return plan.map { folder -> Launch.read(folder).stages[stage] }
}

// A batch is a map [id, number, images, plates]; a stage takes (batch, folders) and gives (batch, one folder).
workflow SCREEN {
    take:
    plan                                        // folder: plan.json, and a JSON a batch and a plate
    model                                       // Cellpose weights
    run                                         // params and versions, as JSON
    outdir                                      // where results are kept

    main:
    root = plan.map { folder -> Launch.read(folder).root ?: [] }
    batches = plan.flatMap { folder -> Launch.packets(folder, 'batches') }
    plates = plan.flatMap { folder -> Launch.packets(folder, 'plates') }

    // A plate tells the diameter of its nuclei; a batch waits for the plates it spans, and for no other.
    references = FETCH_REFERENCES(plates, root, how(plan, 'fetch')).frames
    estimates = DIAMETER(references, model, how(plan, 'diameter'))
    ready = batches
        .flatMap { batch, file -> batch.plates.collect { plate -> tuple([id: plate], groupKey(batch, batch.plates.size()), file) } }
        .combine(estimates, by: 0)
        .map { _plate, batch, file, estimate -> tuple(batch, file, estimate) }
        .groupTuple()
        .map { batch, files, found -> tuple(batch.target, files.first(), found.sort { file -> file.name }) }
        .mix(batches.filter { batch, _file -> !batch.plates }.map { batch, file -> tuple(batch, file, []) })
    asked = ready.map { batch, file, _found -> tuple(batch, file) }
    known = ready.map { batch, _file, found -> tuple(batch, found) }

    frames = FETCH(asked, root, how(plan, 'fetch')).frames
    labels = SEGMENT(frames.join(known), model, how(plan, 'segment')).labels
    features = EMBED(frames.join(labels), how(plan, 'embed')).features
    tables = MERGE(frames.join(labels).join(features), how(plan, 'merge')).tables
    heavy = frames.mix(labels, features, tables).groupTuple(size: 4).map { batch, folders -> tuple(batch, Launch.text(folders)) }
    done = COMMIT(asked.join(tables).join(labels).join(heavy), outdir, how(plan, 'commit'))
    done.combine(batches.count()).subscribe { batch, receipt, planned -> log.info Launch.progress(batch, receipt, planned) }

    summary = SUMMARY(plan, done.toList(), run, outdir, how(plan, 'summary'))

    emit:
    summary
}
