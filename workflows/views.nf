// What is made of all cells of an output folder, when a run has ended: profiles of wells, the cells in other forms, plates of images.

include { PLATE_PROFILES  } from '../modules/plate_profiles'
include { NORMALIZE_CELLS } from '../modules/normalize_cells'
include { TO_ANNDATA      } from '../modules/to_anndata'
include { EXPORT          } from '../modules/export'
include { KEEP            } from '../modules/keep'
include { DESCRIBE_PLATES } from '../modules/describe_plates'

workflow VIEWS {
    take:
    ended                                       // a value when all batches are committed or given up
    stages
    outdir                                      // where results are kept

    main:
    full = ended.map { _summary -> outdir }
    wells = PLATE_PROFILES(full, stages.filter { all -> all.plate_profiles }.map { all -> all.plate_profiles })
    cells = NORMALIZE_CELLS(full, stages.filter { all -> all.normalize_cells }.map { all -> all.normalize_cells })
    annotated = TO_ANNDATA(full, stages.filter { all -> all.to_anndata }.map { all -> all.to_anndata })
    csv = EXPORT(full, stages.filter { all -> all.export }.map { all -> all.export })
    profiles = wells.mix(cells)
        .map { folder -> Launch.noted(folder, log) }
        .mix(annotated)
        .map { folder -> tuple(folder, "${outdir}/profiles") }
    plates = DESCRIBE_PLATES(full.filter { folder -> file("${folder}/images").exists() }).filter { folder -> folder }
    kept = KEEP(profiles.mix(csv.map { folder -> tuple(folder, outdir) })).mix(plates)

    emit:
    kept
}
