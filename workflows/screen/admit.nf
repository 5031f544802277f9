// Batches are let in: each waits for the plates it spans, and for no other; then for room in the work folder.

workflow ADMIT {
    take:
    plan                                        // value
    plates                                      // (plate id, its calibration)

    main:
    batches = plan.flatMap { all -> Plan.packets(all, 'batches') }      // (batch, its JSON)
    calibrated = batches
        .flatMap { batch, packet -> batch.plates.collect { plate -> tuple(plate, groupKey(batch, batch.plates.size()), packet) } }
        .combine(plates, by: 0)
        .map { _plate, batch, packet, calibration -> tuple(batch, packet, calibration) }
        .groupTuple()
        .map { batch, packets, folders -> tuple(Plan.sized(batch.target, folders, log), packets.first(), folders.sort { path -> path.name }) }
    admitted = calibrated
        .mix(batches.filter { batch, _packet -> !batch.plates }.map { batch, packet -> tuple(batch, packet, []) })
        .filter { batch, _packet, _calibration -> Gate.enter(batch.id, batch.work) }

    emit:
    admitted                                    // (batch, its JSON, [calibration of its plates])
}
