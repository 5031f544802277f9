// Batches end: their results are kept in the output folder and their work folders deleted, which lets the next ones in.

include { SAVE_IMAGES } from '../../modules/screen/save_images'
include { COMMIT      } from '../../modules/screen/commit'

workflow RELEASE {
    take:
    plan                                        // value
    batches                                     // (batch, its JSON, [calibration of its plates])
    nuclei                                      // (batch, frames, [calibration], label images)
    tables                                      // (batch, tables)
    inputs                                      // map: save_images
    stages
    outdir                                      // where results are kept

    main:
    saved = inputs.save_images
        ? SAVE_IMAGES(nuclei, stages.save_images).images.map { batch, folder -> Gate.holds(batch, folder) }
        : nuclei.map { batch, _frames, _calibration, _labels -> tuple(batch, []) }
    whole = batches.map { batch, packet, _plates -> tuple(batch, packet) }
        .join(tables)
        .join(nuclei.map { batch, _frames, _calibration, labels -> tuple(batch, labels) })
        .join(saved)
        .map { batch, packet, table, labels, images -> tuple(batch, packet, table, labels, images, WorkFolders.of(batch)) }
    done = COMMIT(whole, outdir, stages.commit)
    done.subscribe { batch, _receipt -> Gate.done(batch.id) }
    done.combine(plan).subscribe { batch, receipt, all -> log.info Plan.progress(batch, receipt, all.batches.size()) }

    emit:
    done                                        // (batch, receipt)
}
