// Screens: plates of wells, a movie or an image a well, to one table of single cells.

include { LIST_FILES   } from '../modules/common/list_files'
include { PLAN         } from '../modules/screen/plan'
include { BEGIN        } from '../modules/common/begin'
include { PLATES       } from './screen/plates'
include { ADMIT        } from './screen/admit'
include { ILLUMINATION } from './screen/illumination'
include { NUCLEI       } from './screen/nuclei'
include { FEATURES     } from './screen/features'
include { RELEASE      } from './screen/release'
include { VIEWS        } from './screen/views'
include { FETCH        } from '../modules/screen/fetch'
include { MERGE        } from '../modules/screen/merge'
include { SUMMARY      } from '../modules/screen/summary'

// A batch is a map [id, number, images, plates, pixels, ...]; a stage takes (batch, folders) and gives (batch, one folder).
workflow SCREEN {
    take:
    launch                                      // JSON: params, and where and when the run was started
    inputs                                      // map: what the user named, as main.nf found it; [] for what is not there
    model                                       // value: Cellpose weights
    run                                         // value: params, and versions of what ran
    outdir                                      // where results are kept

    main:
    listing = inputs.images ? LIST_FILES(inputs.images, [outdir, workflow.workDir].findAll { path -> path }*.toString()) : channel.value([])
    found = model.map { file -> [model: file] }.combine(listing.map { file -> [listing: file] })
    given = found.map { network, names -> (inputs + network + names + [outdir: outdir]).findAll { name, value -> value instanceof Path && name != 'schema' } }
    planned = PLAN(launch, inputs.schema, given.map { all -> all.keySet().toList() }, given.map { all -> all.values().toList() })
    agreed = planned.map { folder -> Plan.agreed(folder, inputs, workflow.workDir, log) }
    plan = BEGIN(agreed.map { all -> all.folder }, outdir).combine(agreed).map { begun, all -> Plan.begun(all, begun, log) }.first()  // value: plan.json

    // Stage -> value: the arguments of its command, and the digest of its code, part of the cache key. Empty for a stage the run is without.
    stages = [:].withDefault { name -> plan.filter { all -> all.stages[name] }.map { all -> all.stages[name] } }

    plates = PLATES(plan, inputs, model, stages, outdir)        // (plate id, its calibration)
    batches = ADMIT(plan, plates)                               // (batch, its JSON, [calibration]), once there is room
    wanted = batches.map { batch, packet, calibration -> tuple(batch, packet, Plan.folders(packet), calibration) }
    fetched = FETCH(wanted, inputs.ascp, inputs.aspera_key, stages.fetch)
    frames = fetched.frames.map { batch, folder -> Gate.holds(batch, folder) }      // (batch, frames)
    lit = ILLUMINATION(batches, frames, stages)                 // (batch, frames, [calibration])
    nuclei = NUCLEI(batches, lit, model, stages, outdir)        // (batch, frames, [calibration], label images)
    features = FEATURES(nuclei, inputs, stages)                 // (batch, [features]): deep, classical, both or none
    merged = MERGE(nuclei.join(features), stages.merge)
    tables = merged.tables.map { batch, folder -> Gate.holds(batch, folder) }       // (batch, tables)
    done = RELEASE(plan, batches, nuclei, tables, inputs, stages, outdir)           // (batch, receipt)

    summary = SUMMARY(plan.map { all -> all.folder }, Gate.ended(done, run), outdir, stages.summary)
    views = VIEWS(summary, inputs, stages, outdir)
    views.subscribe { folder -> log.info "${file(folder, glob: false).name.padRight(10)} ${folder}" }

    // A name that main.nf has too would be emitted as it was there, before the views are made.
    summarised = summary.combine(views.toList().map { all -> [all] }).map { file, _views -> file }

    emit:
    summarised                                  // summary.json, once the views are made
}
