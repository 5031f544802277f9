// Nuclei, or cells, that a network finds. What travels between tiles is how many pixels rest where: a slide's objects are known before any is drawn.

include { PREPARE } from '../../modules/tissue/prepare'
include { PREDICT } from '../../modules/tissue/predict'
include { SEEDS   } from '../../modules/tissue/seeds'
include { LABEL   } from '../../modules/tissue/label'
include { NUMBER  } from '../../modules/tissue/number'
include { whole   } from './parts'

// A layer is a slide's map with `layer`: what is looked for. A part is a layer's map with `part`: which of its groups of tiles.
workflow SEARCH {
    take:
    layers                                      // (layer, its slide's JSON, the slide's channels, Cellpose weights)
    stages

    main:
    packets = layers.map { layer, packet, _pixels, _model -> tuple(layer, packet) }
    prepared = PREPARE(layers, stages.prepare).prepared.map { layer, folder -> Gate.holds(layer, folder) }
    parts = layers.join(prepared).flatMap { layer, packet, pixels, model, before -> Plan.parts(layer).collect { part -> tuple(part, packet, pixels, before, model) } }
    flows = whole(PREDICT(parts, stages.predict).predicted)                                 // (layer, [flows])
    seeded = SEEDS(packets.join(flows), stages.seeds).nuclei.map { layer, folder -> Gate.holds(layer, folder) }
    seeds = packets.join(seeded).join(flows)
        .flatMap { layer, packet, folder, all -> Plan.parts(layer).collect { part -> tuple(part, packet, folder, all) } }
    labels = whole(LABEL(seeds, stages.label).labelled)                                     // (layer, [labels])
    numbers = NUMBER(packets.join(seeded).join(labels), stages.number).numbers.map { layer, folder -> Gate.holds(layer, folder) }
    found = prepared.join(flows).join(seeded).join(labels).join(numbers)
        .map { layer, before, predicted, nuclei, labelled, numbered -> tuple(layer, [before, nuclei, numbered] + predicted + labelled) }

    emit:
    found                                       // (layer, [folders]): what its steps left
}
