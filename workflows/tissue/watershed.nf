// Nuclei, or cells, or both at once, that a network for deep watershed finds. A tile that sees too little of them looks at a wider window.

include { NORMALIZE } from '../../modules/tissue/normalize'
include { FLOOD     } from '../../modules/tissue/flood'
include { COUNT     } from '../../modules/tissue/count'
include { FINISH    } from '../../modules/tissue/finish'
include { NUMBER    } from '../../modules/tissue/number'
include { whole     } from './parts'

// A search is a slide's map with `search`: what its network looks for. A layer and a part are as in SEARCH.
workflow WATERSHED {
    take:
    searches                                    // (search, its slide's JSON, the slide's channels, the network)
    stages

    main:
    normalized = NORMALIZE(searches, stages.normalize).normalized.map { search, folder -> Gate.holds(search, folder) }
    parts = searches.join(normalized).flatMap { search, packet, pixels, model, before -> Plan.parts(search).collect { part -> tuple(part, packet, pixels, before, model) } }
    flooded = whole(FLOOD(parts, stages.flood).flooded)                                     // (search, [flooded])

    layers = searches.join(flooded).flatMap { search, packet, _pixels, _model, folders -> Plan.sought(search).collect { layer -> tuple(layer, packet, folders) } }
    packets = layers.map { layer, packet, _folders -> tuple(layer, packet) }
    counted = COUNT(layers, stages.count).nuclei.map { layer, folder -> Gate.holds(layer, folder) }
    seeds = layers.join(counted).flatMap { layer, packet, folders, counts -> Plan.parts(layer).collect { part -> tuple(part, packet, counts, folders) } }
    labels = whole(FINISH(seeds, stages.finish).labelled)                                   // (layer, [labels])
    numbers = NUMBER(packets.join(counted).join(labels), stages.number).numbers.map { layer, folder -> Gate.holds(layer, folder) }

    // What the network cost, and told, is of the first of the layers.
    common = normalized.join(flooded).flatMap { search, before, folders ->
        Plan.sought(search).withIndex().collect { layer, place -> tuple(layer, place ? [] : [before] + folders) }
    }
    found = common.join(counted).join(labels).join(numbers)
        .map { layer, shared, counts, labelled, numbered -> tuple(layer, shared + [counts, numbered] + labelled) }

    emit:
    found                                       // (layer, [folders]): what its steps left
}
