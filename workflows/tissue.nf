// Slides: multiplexed images of any size, to label images of nuclei that do not depend on how the slide was cut.

include { FOLDERS  } from '../modules/tissue/folders'
include { PLAN     } from '../modules/tissue/plan'
include { BEGIN    } from '../modules/common/begin'
include { READ     } from '../modules/tissue/read'
include { PREPARE  } from '../modules/tissue/prepare'
include { NUCLEI   } from './tissue/nuclei'
include { ASSEMBLE } from '../modules/tissue/assemble'
include { COMMIT   } from '../modules/tissue/commit'
include { SUMMARY  } from '../modules/tissue/summary'

// A slide is a map [id, number, parts, pixels, memory, work]; a stage takes (slide, JSON, folders) and gives (slide, one folder).
workflow TISSUE {
    take:
    launch                                      // JSON: params, and where and when the run was started
    inputs                                      // map: what the user named, as main.nf found it; [] for what is not there
    model                                       // value: Cellpose weights
    run                                         // value: params, and versions of what ran
    outdir                                      // where results are kept

    main:
    folders = inputs.input ? FOLDERS(inputs.input, inputs.folder).map { list -> Plan.folders(list) } : channel.value([])
    given = model.map { network -> (inputs + [model: network, outdir: outdir]).findAll { name, value -> value instanceof Path && name != 'schema' } }
    planned = PLAN(launch, inputs.schema, given.map { all -> all.keySet().toList() }, given.map { all -> all.values().toList() }, folders)
    agreed = planned.map { folder -> Plan.agreed(folder, inputs, workflow.workDir, log) }
    plan = BEGIN(agreed.map { all -> all.folder }, outdir).combine(agreed).map { begun, all -> Plan.begun(all, begun, log) }.first()  // value: plan.json

    // Stage -> value: the arguments of its command, and the digest of its code, part of the cache key.
    stages = [:].withDefault { name -> plan.map { all -> all.stages[name] } }

    slides = plan.flatMap { all -> Plan.packets(all, 'slides') }                    // (slide, its JSON), once there is room
        .filter { slide, _packet -> Gate.enter(slide.id, slide.work) }
    read = READ(slides.map { slide, packet -> tuple(slide, packet, Plan.folders(packet)) }, stages.read).slide
    pixels = read.map { slide, folder -> Gate.holds(slide, folder) }                // (slide, its nuclear channels)
    prepared = PREPARE(slides.join(pixels), model, stages.prepare).prepared
    ready = slides.join(pixels).join(prepared.map { slide, folder -> Gate.holds(slide, folder) })
    nuclei = NUCLEI(ready, model, stages)       // (slide, nuclei, their numbers, [flows], [labels])
    assembled = ASSEMBLE(ready.join(nuclei), stages.assemble).assembled
    whole = slides
        .join(assembled.map { slide, folder -> Gate.holds(slide, folder) })
        .map { slide, packet, folder -> tuple(slide, packet, folder, WorkFolders.of(slide)) }
    done = COMMIT(whole, outdir, stages.commit)
    done.subscribe { slide, _receipt -> Gate.done(slide.id) }
    done.subscribe { slide, receipt ->
        def found = Json.read(receipt)
        log.info "slide ${slide.id} done: ${found.nuclei} nuclei, ${found.uncertified} uncertified"
    }

    summary = SUMMARY(plan.map { all -> all.folder }, Gate.ended(done, run), outdir, stages.summary)

    emit:
    summary                                     // summary.json
}
