// Slabs of volumes: predicted, labelled, committed, so many at a time as the disk has room for.

include { PREDICT } from '../../modules/volume/predict'
include { LABEL   } from '../../modules/volume/label'
include { COMMIT  } from '../../modules/volume/commit'

workflow SLABS {
    take:
    slabs                                       // (slab, its JSON)
    checkpoints                                 // list of files, of which a slab names one by its number
    stages
    outdir

    main:
    entered = slabs.filter { slab, _packet -> Gate.enter(slab.id, slab.work) }
    wanted = entered.filter { slab, _packet -> slab.predict }
        .map { slab, packet -> tuple(slab, Plan.prediction(packet), checkpoints[slab.model], Plan.folders(packet)) }
    predicted = PREDICT(wanted, stages.predict).predicted.map { slab, folder -> Gate.holds(slab, folder) }
    maps = predicted.mix(entered.filter { slab, _packet -> !slab.predict }.map { slab, _packet -> tuple(slab, outdir) })
    seen = entered.filter { slab, _packet -> slab.label }.join(maps)
        .map { slab, packet, folder -> tuple(slab, packet, folder, Plan.folders(packet)) }
    labelled = LABEL(seen, stages.label).labelled.map { slab, folder -> Gate.holds(slab, folder) }

    left = predicted.mix(labelled)
        .map { slab, folder -> tuple(groupKey(slab, (slab.predict ? 1 : 0) + (slab.label ? 1 : 0)), folder) }
        .groupTuple()
        .map { slab, all -> tuple(slab.target, all.sort { path -> path.name }) }        // (slab, [what its tasks left])
    results = entered.join(left).map { slab, packet, all -> tuple(slab, packet, all, WorkFolders.of(slab)) }
    done = COMMIT(results, outdir, stages.commit)
    done.subscribe { slab, _receipt -> Gate.done(slab.id) }
    done.subscribe { slab, _receipt -> log.info "slab ${slab.id} done: ${String.format(Locale.ROOT, '%,d', slab.voxels)} voxels" }

    emit:
    done                                        // (slab, receipt)
}
