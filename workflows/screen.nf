// Screens: plates of wells, a movie or an image a well, to one table of single cells.

include { PLATES } from './plates'
include { VIEWS } from './views'
include { FETCH } from '../modules/screen/fetch'
include { FLATFIELD as FLATFIELD_FRAMES } from '../modules/screen/flatfield'
include { SEGMENT } from '../modules/screen/segment'
include { TAKE_LABELS } from '../modules/screen/take_labels'
include { EMBED } from '../modules/screen/embed'
include { DEEPPROFILER } from '../modules/screen/deepprofiler'
include { MEASURE } from '../modules/screen/measure'
include { SAVE_IMAGES } from '../modules/screen/save_images'
include { MERGE } from '../modules/screen/merge'
include { COMMIT } from '../modules/screen/commit'
include { SUMMARY } from '../modules/screen/summary'

// A stage takes (batch, folders) and gives (batch, one folder).
workflow SCREEN {
    take:
    plan                                        // folder: plan.json, and a JSON a batch and a plate
    aspera                                      // [ascp, key], the user's own; empty if they are not given
    model                                       // Cellpose weights
    families                                    // of features: deep, cp, or both; none in a run that stops at quality control
    save_images                                 // whether frames and label images are kept
    network                                     // [configuration, checkpoint] of DeepProfiler; empty for our own embedders
    embed_model                                 // their network; empty where they have one
    labelled                                    // the user's table of points of phenotypes; empty if none is given
    rules                                       // of quality control
    run                                         // params and versions
    outdir                                      // where results are kept

    main:
    stages = plan.map { folder -> Launch.read(folder).stages }
    batches = plan.flatMap { folder -> Launch.packets(folder, 'batches') }

    // A batch waits for the plates it spans, and for no other; then for its turn.
    plates = PLATES(plan, stages, aspera, model, outdir)
    ready = batches
        .flatMap { batch, file -> batch.plates.collect { plate -> tuple(plate, groupKey(batch, batch.plates.size()), file) } }
        .combine(plates, by: 0)
        .map { _plate, batch, file, known -> tuple(batch, file, known) }
        .groupTuple()
        .map { batch, files, known -> tuple(Launch.sized(batch.target, known, log), files.first(), known.sort { path -> path.name }) }
        .mix(batches.filter { batch, _file -> !batch.plates }.map { batch, file -> tuple(batch, file, []) })
        .filter { batch, _file, _known -> Gate.enter(batch.id, batch.work) }

    fetched = ready.map { batch, file, known -> tuple(batch, file, Launch.folders(file), known) }
    frames = FETCH(fetched, aspera[0], aspera[1], stages.map { all -> all.fetch }).frames
    own = FLATFIELD_FRAMES(frames.filter { batch, _frames -> batch.fields }, stages.map { all -> all.flatfield }).fields
        .map { batch, folder -> Launch.heard(batch, folder, log) }
    known = ready.filter { batch, _file, _known -> !batch.fields }
        .map { batch, _file, folders -> tuple(batch, folders) }
        .mix(ready.join(own).map { batch, _file, folders, field -> tuple(batch, folders + [field]) })
    even = frames.join(known)
    found = SEGMENT(even.filter { batch, _frames, _known -> !batch.kept }, model, stages.map { all -> all.segment }).labels
    left = ready.filter { batch, _file, _known -> batch.kept }.map { batch, file, _known -> tuple(batch, Launch.labels(file, outdir)) }
    labels = found.mix(TAKE_LABELS(frames.join(left), stages.map { all -> all.take_labels }).labels)
    cells = even.join(labels)
    deep = 'deep' in families
        ? (network
            ? DEEPPROFILER(cells, network[0], network[1], stages.map { all -> all.embed }).features
            : EMBED(cells, embed_model, stages.map { all -> all.embed }).features)
        : channel.empty()
    cp = 'cp' in families ? MEASURE(cells, stages.map { all -> all.measure }).features : channel.empty()
    features = families.size() > 1
        ? deep.join(cp).map { batch, first, second -> tuple(batch, [first, second]) }
        : families ? deep.mix(cp) : labels.map { batch, _folder -> tuple(batch, []) }
    tables = MERGE(cells.join(features), stages.map { all -> all.merge }).tables

    images = save_images ? SAVE_IMAGES(cells, stages.map { all -> all.save_images }).images : channel.empty()
    kept = save_images
        ? tables.join(labels).join(images)
        : tables.join(labels).map { batch, table, label -> tuple(batch, table, label, []) }

    held = frames.mix(own, labels, deep, cp, tables, images)
    held.subscribe { batch, folder -> Gate.holds(batch.id, folder) }
    heavy = held.map { batch, folder -> tuple(groupKey(batch, 3 + families.size() + (batch.fields ? 1 : 0) + (save_images ? 1 : 0)), folder) }
        .groupTuple()
        .map { batch, folders -> tuple(batch.target, Launch.text(folders)) }
    whole = ready.map { batch, file, _known -> tuple(batch, file) }.join(kept).join(heavy)
    done = COMMIT(whole, outdir, stages.map { all -> all.commit })
    done.subscribe { batch, _receipt -> Gate.done(batch.id) }
    done.combine(batches.count()).subscribe { batch, receipt, planned -> log.info Launch.progress(batch, receipt, planned) }

    // When all are committed or given up.
    ended = done.toList()
        .map { batch -> [batch] }
        .combine(run)
        .map { _done, about -> Launch.json(about + [gate: Gate.report()]) }
    summary = SUMMARY(plan, ended, outdir, stages.map { all -> all.summary })
    views = VIEWS(summary, stages, labelled, rules, outdir)
    views.subscribe { folder -> log.info "${file(folder, glob: false).name.padRight(10)} ${folder}" }

    // A name of its own: one that main has already would be emitted as it was there, before the views are made.
    told = summary.combine(views.toList().map { made -> [made] }).map { file, _made -> file }

    emit:
    told
}
