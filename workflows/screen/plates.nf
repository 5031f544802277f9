// What must be known of a plate (flat-field, range of grey levels, diameter of its nuclei) is measured once on a few of its frames, and committed.

include { FETCH as FETCH_REFERENCES } from '../../modules/screen/fetch'
include { FLATFIELD    } from '../../modules/screen/flatfield'
include { DIAMETER     } from '../../modules/screen/diameter'
include { COMMIT_PLATE } from '../../modules/screen/commit_plate'

// A plate is a map [id, images, diameter (whether it is to be estimated), pixels, bytes].
workflow PLATES {
    take:
    plan                                        // value
    inputs                                      // map: ascp and aspera_key
    model                                       // value: Cellpose weights
    stages
    outdir                                      // where results are kept

    main:
    plates = plan.flatMap { all -> Plan.packets(all, 'plates') }        // (plate, its JSON)
        .filter { plate, _packet -> Gate.enter(plate.id) }
    wanted = plates.map { plate, packet -> tuple(plate, packet, Plan.folders(packet), []) }
    fetched = FETCH_REFERENCES(wanted, inputs.ascp, inputs.aspera_key, stages.fetch)
    frames = fetched.frames.map { plate, folder -> Gate.holds(plate, folder) }
    fields = FLATFIELD(frames, stages.flatfield).fields.map { plate, folder -> Gate.holds(plate, Warnings.logNotes(folder, folder.resolve('notes.json'), false)) }
    lit = frames.join(fields)                                           // (plate, frames, its flat-field)
    diameters = DIAMETER(lit.filter { plate, _frames, _field -> plate.diameter }, model, stages.diameter)
        .mix(plates.filter { plate, _packet -> !plate.diameter }.map { plate, _packet -> tuple(plate, []) })
    complete = plates.join(fields).join(diameters)
        .map { plate, packet, field, diameter -> tuple(plate, packet, [field, diameter].flatten(), WorkFolders.of(plate)) }
    committed = COMMIT_PLATE(complete, outdir, stages.commit_plate)
    committed.subscribe { plate, _receipt -> Gate.done(plate.id) }

    settled = plan.flatMap { all -> all.settled_plates }.map { plate -> tuple(plate, outdir.resolve("flatfields/${plate}")) }
    calibration = committed.map { plate, receipt -> tuple(plate.id, file(Json.read(receipt).folder, glob: false)) }.mix(settled)

    emit:
    calibration                                 // (plate id, folder)
}
