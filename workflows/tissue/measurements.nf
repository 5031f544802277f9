// What is measured of the nuclei and cells of slides, and the tables of it.

include { MEASURE      } from '../../modules/tissue/measure'
include { TABLES       } from '../../modules/tissue/tables'
include { drawn; whole } from './parts'

workflow MEASUREMENTS {
    take:
    slides                                      // (slide, its JSON)
    layers                                      // (slide, layer -> [folders])
    stages

    main:
    wanted = slides.join(layers).filter { slide, _packet, _layers -> slide.measure }
        .map { slide, packet, found -> tuple(slide, packet, drawn(found.nuclei), drawn(found.cells), Plan.folders(packet)) }
    parts = wanted.flatMap { slide, packet, nuclei, cells, folders -> Plan.parts(slide).collect { part -> tuple(part, packet, nuclei, cells, folders) } }
    measured = whole(MEASURE(parts, stages.measure).measured)                               // (slide, [measured])
    pairs = layers.map { slide, found -> tuple(slide, (found.cells ?: []).findAll { path -> path.name == 'paired' }.collect { path -> path.resolve('pairs.json') }) }
    tables = TABLES(slides.join(measured).join(pairs), stages.tables).tables.map { slide, folder -> Gate.holds(slide, folder) }
    measurements = measured.join(tables)
        .mix(layers.filter { slide, _layers -> !slide.measure }.map { slide, _layers -> tuple(slide, [], []) })

    emit:
    measurements                                // (slide, [measured], tables); nothing of a slide of which nothing is measured
}
