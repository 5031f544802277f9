// Slides: multiplexed images of any size, to nuclei and cells that do not depend on how the slide was cut, and what is measured of them.

include { FOLDERS      } from '../modules/tissue/folders'
include { PLAN         } from '../modules/tissue/plan'
include { BEGIN        } from '../modules/common/begin'
include { READ         } from '../modules/tissue/read'
include { LAYERS       } from './tissue/layers'
include { MEASUREMENTS } from './tissue/measurements'
include { ASSEMBLE     } from '../modules/tissue/assemble'
include { COMMIT       } from '../modules/tissue/commit'
include { SUMMARY      } from '../modules/tissue/summary'

// A slide is a map [id, number, parts, pixels, memory, work, layers, given, measure]; a stage takes (slide, JSON, folders) and gives (slide, one folder).
workflow TISSUE {
    take:
    launch                                      // JSON: params, and where and when the run was started
    inputs                                      // map: what the user named, as main.nf found it; [] for what is not there
    model                                       // value: the network of the nuclei
    cell_model                                  // value: those of --cell_model; [] without
    run                                         // value: params, and versions of what ran
    outdir                                      // where results are kept

    main:
    folders = inputs.workspace ? channel.value(Workspace.staged(inputs.workspace, inputs.schema))
        : inputs.input ? FOLDERS(inputs.input, inputs.folder).map { list -> Plan.folders(list) }
        : channel.value([])
    weights = model.map { file -> [file] }.combine(cell_model.map { file -> [file] }).first()
    given = weights.map { nuclei, cells -> inputs + [model: nuclei, cell_model: cells, outdir: outdir] }
        .map { all -> all.findAll { name, value -> value instanceof Path && name != 'schema' } }
    planned = PLAN(launch, inputs.schema, given.map { all -> all.keySet().toList() }, given.map { all -> all.values().toList() }, folders)
    agreed = planned.map { folder -> Plan.agreed(folder, inputs, workflow.workDir, log) }
    plan = BEGIN(agreed.map { all -> all.folder }, outdir).combine(agreed).map { begun, all -> Plan.begun(all, begun, log) }.first()  // value: plan.json

    // Stage -> value: the arguments of its command, and the digest of its code, part of the cache key.
    stages = [:].withDefault { name -> plan.map { all -> all.stages[name] } }

    slides = plan.flatMap { all -> Plan.packets(all, 'slides') }                    // (slide, its JSON), once there is room
        .filter { slide, _packet -> Gate.enter(slide.id, slide.work) }
    read = READ(slides.map { slide, packet -> tuple(slide, packet, Plan.folders(packet)) }, stages.read).slide
    pixels = read.map { slide, folder -> Gate.holds(slide, folder) }                // (slide, the channels that networks look at)
    models = weights.map { nuclei, cells -> [model: nuclei, cell_model: cells] }
    layers = LAYERS(slides, pixels, models, stages)                                 // (slide, layer -> [folders])
    measured = MEASUREMENTS(slides, layers, stages)                                 // (slide, [measured], tables)
    parts = slides.join(pixels).join(layers).join(measured)
        .map { slide, packet, channels, left, measurements, tables -> tuple(slide, packet, channels, left.nuclei, left.cells ?: [], measurements, tables) }
    assembled = ASSEMBLE(parts, stages.assemble).assembled.map { slide, folder -> Gate.holds(slide, folder) }
    results = slides.join(assembled).join(measured)
        .map { slide, packet, folder, _parts, tables -> tuple(slide, packet, folder, tables, WorkFolders.of(slide)) }
    done = COMMIT(results, outdir, stages.commit)
    done.subscribe { slide, _receipt -> Gate.done(slide.id) }
    done.subscribe { slide, receipt ->
        def found = Json.read(receipt)
        def cells = found.cells ? "${found.cells} cells, " : ''
        log.info "slide ${slide.id} done: ${found.nuclei} nuclei, ${cells}${found.uncertified} uncertified"
    }

    summary = SUMMARY(plan.map { all -> all.folder }, Gate.ended(done, run), outdir, stages.summary)

    emit:
    summary                                     // summary.json
}
