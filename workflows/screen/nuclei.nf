// Nuclei are segmented, or their label images taken that an earlier run left.

include { SEGMENT     } from '../../modules/screen/segment'
include { TAKE_LABELS } from '../../modules/screen/take_labels'

workflow NUCLEI {
    take:
    batches                                     // (batch, its JSON, [calibration of its plates])
    lit                                         // (batch, frames, [calibration])
    model                                       // value: Cellpose weights
    stages
    outdir                                      // where results are kept

    main:
    segmented = SEGMENT(lit.filter { batch, _frames, _calibration -> !batch.kept }, model, stages.segment)
    kept = batches.filter { batch, _packet, _plates -> batch.kept }
        .map { batch, packet, _plates -> tuple(batch, Plan.labels(packet, outdir)) }
    taken = TAKE_LABELS(lit.map { batch, frames, _calibration -> tuple(batch, frames) }.join(kept), stages.take_labels)
    labels = segmented.labels.mix(taken.labels).map { batch, folder -> Gate.holds(batch, folder) }
    nuclei = lit.join(labels)

    emit:
    nuclei                                      // (batch, frames, [calibration], label images)
}
