// Volumes: regions of electron-microscopy stacks of any size, to probabilities and segmentations that do not depend on how they were cut.

include { FOLDERS  } from '../modules/volume/folders'
include { PLAN     } from '../modules/volume/plan'
include { BEGIN    } from '../modules/common/begin'
include { SLABS; SLABS as CANDIDATES } from './volume/slabs'
include { CHOOSE   } from '../modules/volume/choose'
include { ASSEMBLE } from '../modules/volume/assemble'
include { COMMIT   } from '../modules/volume/commit'
include { SUMMARY  } from '../modules/volume/summary'

// A slab is a map [id, entry, model, predict, label, shown, memory, work, seconds, voxels]: a box of a volume.
workflow VOLUME {
    take:
    launch                                      // JSON: params, and where and when the run was started
    inputs                                      // map: what the user named, as main.nf found it; [] for what is not there
    run                                         // value: params, and versions of what ran
    outdir                                      // where results are kept

    main:
    jsons = [inputs.data, inputs.validation].findAll { path -> path }
    folders = jsons ? FOLDERS(jsons, inputs.data_dir).map { list -> Plan.folders(list) } : channel.value([])
    single = inputs.findAll { name, value -> value instanceof Path && name != 'schema' } + [outdir: outdir]
    names = single.keySet().toList() + inputs.checkpoints.collect { _file -> 'checkpoint' }
    planned = PLAN(launch, inputs.schema, names, single.values().toList() + inputs.checkpoints, folders)
    agreed = planned.map { folder -> Plan.agreed(folder, inputs, workflow.workDir, log) }
    plan = BEGIN(agreed.map { all -> all.folder }, outdir).combine(agreed).map { begun, all -> Plan.begun(all, begun, log) }.first()  // value: plan.json

    // Stage -> value: the arguments of its command, and the digest of its code, part of the cache key.
    stages = [:].withDefault { name -> plan.map { all -> all.stages[name] } }

    compared = CANDIDATES(plan.flatMap { all -> Plan.packets(all, 'candidates') }, inputs.checkpoints, stages, outdir)
    ready = compared.toList().map { all -> [all] }.combine(plan).map { _all, found -> found.folder }
    chosen = CHOOSE(ready, outdir, stages.choose).map { folder -> Plan.chosen(folder, log) }.first()    // value: plan.json of what is left

    slabs = SLABS(chosen.flatMap { all -> Plan.packets(all, 'slabs') }, inputs.checkpoints, stages, outdir)
    volumes = chosen.flatMap { all -> Plan.packets(all, 'volumes') }.map { volume, packet -> tuple(volume.id, volume, packet) }
    whole = slabs.filter { slab, _receipt -> slab.shown }
        .map { slab, _receipt -> tuple(slab.entry, slab.id) }
        .combine(volumes.map { id, volume, _packet -> tuple(id, volume.left) }, by: 0)
        .map { entry, slab, left -> tuple(groupKey(entry, left), slab) }
        .groupTuple()
        .map { entry, _slabs -> entry.target }                                      // volumes whose slabs are all committed
    complete = volumes.filter { _id, volume, _packet -> volume.left == 0 }
        .mix(volumes.filter { _id, volume, _packet -> volume.left > 0 }.join(whole))
        .map { _id, volume, packet -> tuple(volume, packet) }
    assembled = ASSEMBLE(complete.map { volume, packet -> tuple(volume, packet, Plan.folders(packet)) }, outdir, stages.assemble).assembled
    finished = COMMIT(complete.join(assembled).map { volume, packet, folder -> tuple(volume, packet, folder, []) }, outdir, stages.commit)
    finished.subscribe { volume, _receipt -> log.info "volume ${volume.id} done" }

    summary = SUMMARY(chosen.map { all -> all.folder }, Gate.ended(compared.mix(slabs, finished), run), outdir, stages.summary)

    emit:
    summary                                     // summary.json
}
