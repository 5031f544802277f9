// Frames get their flat-fields beside them: those of their plates and, if it is fitted image by image, their own.

include { FLATFIELD as FLATFIELD_FRAMES } from '../../modules/screen/flatfield'

workflow ILLUMINATION {
    take:
    batches                                     // (batch, its JSON, [calibration of its plates])
    frames                                      // (batch, frames)
    stages

    main:
    fitted = FLATFIELD_FRAMES(frames.filter { batch, _frames -> batch.fields }, stages.flatfield)
    fields = fitted.fields.map { batch, folder -> Gate.holds(batch, Warnings.logNotes(folder, folder.resolve('notes.json'), false)) }
        .mix(batches.filter { batch, _packet, _plates -> !batch.fields }.map { batch, _packet, _plates -> tuple(batch, []) })
    lit = frames
        .join(batches.map { batch, _packet, plates -> tuple(batch, plates) })
        .join(fields)
        .map { batch, images, plates, field -> tuple(batch, images, [plates, field].flatten()) }

    emit:
    lit                                         // (batch, frames, [calibration])
}
