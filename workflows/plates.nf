// What must be known of a plate (flat-field, range of grey levels, diameter of its nuclei) is learnt once from a few of its frames, and kept.

include { FETCH as FETCH_REFERENCES } from '../modules/screen/fetch'
include { FLATFIELD } from '../modules/screen/flatfield'
include { DIAMETER } from '../modules/screen/diameter'
include { COMMIT_PLATE } from '../modules/screen/commit_plate'

// A stage takes and gives (plate, one file or folder).
workflow PLATES {
    take:
    plan                                        // folder: plan.json, and a JSON a batch and a plate
    stages                                      // stage -> its command's arguments, and the digest of its code
    aspera                                      // [ascp, key], the user's own; empty if they are not given
    model                                       // Cellpose weights
    outdir                                      // where results are kept

    main:
    depths = Launch.depths(projectDir.resolve('nextflow_schema.json'))
    plates = plan.flatMap { folder -> Launch.packets(folder, 'plates') }
        .filter { plate, _file -> Gate.enter(plate.id) }
    frames = FETCH_REFERENCES(
        plates.map { plate, file -> tuple(plate, file, Launch.folders(file), []) }, aspera[0], aspera[1], stages.map { all -> all.fetch }
    ).frames
    fields = FLATFIELD(frames, stages.map { all -> all.flatfield }).fields
        .map { plate, folder -> Launch.heard(plate, folder, log) }
        .map { plate, folder -> Launch.ranged(plate, folder, depths, log) }
    diameters = DIAMETER(
        frames.join(fields).filter { plate, _frames, _field -> plate.diameter }, model, stages.map { all -> all.diameter }
    )

    learnt = fields.mix(diameters)
        .map { plate, file -> tuple(groupKey(plate, plate.diameter ? 2 : 1), file) }
        .groupTuple()
        .map { plate, files -> tuple(plate.target, files) }
    frames.mix(fields).subscribe { plate, folder -> Gate.holds(plate.id, folder) }
    heavy = frames.join(fields).map { plate, images, field -> tuple(plate, Launch.text([images, field])) }
    kept = COMMIT_PLATE(plates.join(learnt).join(heavy), outdir, stages.map { all -> all.commit_plate })
    kept.subscribe { plate, _receipt -> Gate.done(plate.id) }

    known = kept.map { plate, receipt -> tuple(plate.id, file(Launch.read(receipt).folder, glob: false)) }
        .mix(plan.flatMap { folder -> Launch.read(folder).settled_plates }.map { plate -> tuple(plate, outdir.resolve("flatfields/${plate}")) })

    emit:
    known                                       // (plate id, folder)
}
