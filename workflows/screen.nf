// Screens: plates of wells, a movie or an image a well, to one table of single cells.

include { FETCH     } from '../modules/fetch'
include { FETCH as FETCH_REFERENCES      } from '../modules/fetch'
include { FLATFIELD } from '../modules/flatfield'
include { FLATFIELD as FLATFIELD_FRAMES  } from '../modules/flatfield'
include { DIAMETER  } from '../modules/diameter'
include { COMMIT_PLATE } from '../modules/commit_plate'
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
    aspera                                      // [ascp, key], the user's own; empty if they are not given
    model                                       // Cellpose weights
    network                                     // [configuration, checkpoint] of DeepProfiler; empty for our own embedder
    run                                         // params and versions
    outdir                                      // where results are kept

    main:
    root = plan.map { folder -> Launch.read(folder).root ?: [] }
    batches = plan.flatMap { folder -> Launch.packets(folder, 'batches') }
    plates = plan.flatMap { folder -> Launch.packets(folder, 'plates') }

    // What is to be learnt of a plate is learnt once, and kept; a batch waits for the plates it spans, and for no other.
    asked = plates.filter { plate, _file -> Gate.enter(plate.id) }
    references = FETCH_REFERENCES(asked.map { plate, file -> tuple(plate, file, []) }, root, aspera[0], aspera[1], how(plan, 'fetch')).frames
    fields = FLATFIELD(references, how(plan, 'flatfield')).fields.map { plate, folder -> Launch.heard(plate, folder, log) }
    diameters = DIAMETER(references.join(fields).filter { plate, _frames, _field -> plate.diameter }, model, how(plan, 'diameter'))
    learnt = fields.mix(diameters).map { plate, file -> tuple(groupKey(plate, plate.diameter ? 2 : 1), file) }.groupTuple()
    heavy_of = references.mix(fields).groupTuple(size: 2).map { plate, folders -> tuple(plate, Launch.text(folders)) }
    found = COMMIT_PLATE(
        asked.join(learnt.map { plate, files -> tuple(plate.target, files) }).join(heavy_of), outdir, how(plan, 'commit_plate')
    )
    found.subscribe { plate, _kept -> Gate.done(plate.id) }
    known_plates = found.map { plate, kept -> tuple(plate.id, file(Launch.read(kept).folder)) }
        .mix(plan.flatMap { folder -> Launch.read(folder).settled_plates.collect { plate -> tuple(plate, file("${outdir}/flatfields/${plate}")) } })
    ready = batches
        .flatMap { batch, file -> batch.plates.collect { plate -> tuple(plate, groupKey(batch, batch.plates.size()), file) } }
        .combine(known_plates, by: 0)
        .map { _plate, batch, file, known -> tuple(batch, file, known) }
        .groupTuple()
        .map { batch, files, known -> tuple(batch.target, files.first(), known.sort { path -> path.name }) }
        .mix(batches.filter { batch, _file -> !batch.plates }.map { batch, file -> tuple(batch, file, []) })
        .filter { batch, _file, _known -> Gate.enter(batch.id) }

    frames = FETCH(ready, root, aspera[0], aspera[1], how(plan, 'fetch')).frames
    own = FLATFIELD_FRAMES(frames.filter { batch, _frames -> batch.fields }, how(plan, 'flatfield')).fields
        .map { batch, folder -> Launch.heard(batch, folder, log) }
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
    whole = ready.map { batch, file, _known -> tuple(batch, file) }.join(tables).join(labels).join(heavy)
    done = COMMIT(whole, outdir, how(plan, 'commit'))

    done.subscribe { batch, _receipt -> Gate.done(batch.id) }
    done.combine(batches.count()).subscribe { batch, receipt, planned -> log.info Launch.progress(batch, receipt, planned) }

    // When all are committed or given up.
    ended = done.toList().map { batch -> [batch] }.combine(run).map { _done, about -> Launch.json(about + [gate: Gate.report()]) }
    summary = SUMMARY(plan, ended, outdir, how(plan, 'summary'))
    csv = KEEP(EXPORT(summary.map { outdir }, how(plan, 'export').filter { stage -> stage.args }), outdir)
    csv.subscribe { folder -> log.info "csv        ${folder}" }

    emit:
    summary = summary.combine(csv.toList().map { made -> [made] }).map { file, _made -> file }
}
