// The nuclei of slides. What travels between tiles is how many pixels rest where: a slide's nuclei are known before any is drawn.

include { PREDICT } from '../../modules/tissue/predict'
include { SEEDS   } from '../../modules/tissue/seeds'
include { LABEL   } from '../../modules/tissue/label'
include { NUMBER  } from '../../modules/tissue/number'

// (part, folder) of all parts of a slide, together: (slide, [folder]).
def whole(parts) {
    return parts
        .map { part, folder -> Gate.holds(part, folder) }
        .map { part, folder -> tuple(Plan.slide(part), folder) }
        .groupTuple()
        .map { slide, folders -> tuple(slide.target, folders.sort { path -> path.name }) }
}

// A part is a slide's map with `part`: which of its groups of tiles.
workflow NUCLEI {
    take:
    slides                                      // (slide, its JSON, its nuclear channels, its diameter and where to look)
    model                                       // value: Cellpose weights
    stages

    main:
    packets = slides.map { slide, packet, _pixels, _prepared -> tuple(slide, packet) }
    parts = slides.flatMap { slide, packet, pixels, prepared -> Plan.parts(slide).collect { part -> tuple(part, packet, pixels, prepared) } }
    flows = whole(PREDICT(parts, model, stages.predict).predicted)                          // (slide, [flows])
    nuclei = SEEDS(packets.join(flows), stages.seeds).nuclei.map { slide, folder -> Gate.holds(slide, folder) }
    seeded = packets.join(nuclei).join(flows)
    seeds = seeded.flatMap { slide, packet, folder, all -> Plan.parts(slide).collect { part -> tuple(part, packet, folder, all) } }
    labels = whole(LABEL(seeds, stages.label).labelled)         // (slide, [labels])
    numbers = NUMBER(packets.join(nuclei).join(labels), stages.number).numbers.map { slide, folder -> Gate.holds(slide, folder) }
    numbered = nuclei.join(numbers).join(flows).join(labels)

    emit:
    numbered                                    // (slide, nuclei, their numbers, [flows], [labels])
}
