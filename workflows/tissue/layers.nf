// The layers of slides: nuclei, and cells where a network looks for them or the table gives them. A nucleus and its cell have one label.

include { SEARCH    } from './search'
include { WATERSHED } from './watershed'
include { TAKE      } from '../../modules/tissue/take'
include { PAIR      } from '../../modules/tissue/pair'
include { drawn     } from './parts'

workflow LAYERS {
    take:
    slides                                      // (slide, its JSON)
    pixels                                      // (slide, the channels that networks look at)
    models                                      // value: param -> network
    stages

    main:
    looking = slides.join(pixels).combine(models)
    wanted = looking.flatMap { slide, packet, channels, networks ->
        slide.layers.collect { name -> tuple(slide + [layer: name], packet, channels, networks[name == 'cells' ? 'cell_model' : 'model']) }
    }
    flooded = looking.flatMap { slide, packet, channels, networks ->
        slide.watershed.collect { search -> tuple(slide + [search: search], packet, channels, networks[search.param]) }
    }
    given = slides.flatMap { slide, packet -> slide.given.collect { name -> tuple(slide + [layer: name], packet, Plan.folders(packet)) } }
    taken = TAKE(given, stages.take).taken.map { layer, left -> tuple(Gate.holds(layer, left[0].parent)[0], left) }
    found = SEARCH(wanted, stages).mix(WATERSHED(flooded, stages), taken)
        .map { layer, folders -> tuple(Plan.layered(layer), [(layer.layer): folders]) }
        .groupTuple()
        .map { slide, maps -> tuple(slide.target, maps.sum()) }                         // (slide, layer -> [folders])

    two = found.filter { _slide, left -> left.cells }
    paired = PAIR(slides.join(two).map { slide, packet, left -> tuple(slide, packet, drawn(left.nuclei), drawn(left.cells)) }, stages.pair).paired
        .map { slide, folder -> Gate.holds(slide, folder) }
    layers = found.filter { _slide, left -> !left.cells }
        .mix(two.join(paired).map { slide, left, folder -> tuple(slide, left + [cells: left.cells + [folder]]) })

    emit:
    layers                                      // (slide, layer -> [folders]): what its steps left
}
