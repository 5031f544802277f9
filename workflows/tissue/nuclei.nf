// The nuclei of slides. What travels between tiles is how many pixels rest where: a slide's nuclei are known before any is drawn.

include { PREDICT } from '../../modules/tissue/predict'
include { SEEDS   } from '../../modules/tissue/seeds'
include { LABEL   } from '../../modules/tissue/label'
include { NUMBER  } from '../../modules/tissue/number'

// A part is a slide's map with `part`: which of its groups of tiles.
workflow NUCLEI {
    take:
    slides                                      // (slide, its JSON, its nuclear channels, its diameter and where to look)
    model                                       // value: Cellpose weights
    stages

    main:
    packets = slides.map { slide, packet, _pixels, _prepared -> tuple(slide, packet) }
    parts = slides.flatMap { slide, packet, pixels, prepared -> Plan.parts(slide).collect { part -> tuple(part, packet, pixels, prepared) } }
    flows = PREDICT(parts, model, stages.predict).predicted
        .map { part, folder -> Gate.holds(part, folder) }
        .map { part, folder -> tuple(Plan.slide(part), folder) }
        .groupTuple()
        .map { slide, folders -> tuple(slide.target, folders.sort { path -> path.name }) }      // (slide, [flows])
    nuclei = SEEDS(packets.join(flows), stages.seeds).nuclei.map { slide, folder -> Gate.holds(slide, folder) }
    seeded = packets.join(nuclei).join(flows)
    labels = LABEL(seeded.flatMap { slide, packet, seeds, all -> Plan.parts(slide).collect { part -> tuple(part, packet, seeds, all) } }, stages.label).labelled
        .map { part, folder -> Gate.holds(part, folder) }
        .map { part, folder -> tuple(Plan.slide(part), folder) }
        .groupTuple()
        .map { slide, folders -> tuple(slide.target, folders.sort { path -> path.name }) }      // (slide, [labels])
    numbers = NUMBER(packets.join(nuclei).join(labels), stages.number).numbers.map { slide, folder -> Gate.holds(slide, folder) }
    numbered = nuclei.join(numbers).join(flows).join(labels)

    emit:
    numbered                                    // (slide, nuclei, their numbers, [flows], [labels])
}
