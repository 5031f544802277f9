// What is made of all cells of an output folder, when a run has ended: quality control, profiles of wells, other forms, plates of images.

include { PLATE_PROFILES  } from '../modules/screen/plate_profiles'
include { NORMALIZE_CELLS } from '../modules/screen/normalize_cells'
include { MARK_PHENOTYPES } from '../modules/screen/mark_phenotypes'
include { TO_ANNDATA      } from '../modules/screen/to_anndata'
include { EXPORT          } from '../modules/screen/export'
include { QC              } from '../modules/screen/qc'
include { KEEP            } from '../modules/common/keep'
include { DESCRIBE_PLATES } from '../modules/screen/describe_plates'

workflow VIEWS {
    take:
    ended                                       // a value when all batches are committed or given up
    stages
    labelled                                    // the user's table of points of phenotypes; empty if none is given
    rules                                       // of quality control
    outdir                                      // where results are kept

    main:
    full = ended.map { _summary -> outdir }
    qc = QC(full, rules, stages.map { all -> all.qc }).flatten()
    wells = PLATE_PROFILES(full, stages.filter { all -> all.plate_profiles }.map { all -> all.plate_profiles })
    cells = NORMALIZE_CELLS(full, stages.filter { all -> all.normalize_cells }.map { all -> all.normalize_cells })
    marked = MARK_PHENOTYPES(full, labelled, stages.filter { all -> all.mark_phenotypes }.map { all -> all.mark_phenotypes })
    annotated = TO_ANNDATA(full, stages.filter { all -> all.to_anndata }.map { all -> all.to_anndata })
    csv = EXPORT(full, stages.filter { all -> all.export }.map { all -> all.export })
    profiles = wells.mix(marked)
        .map { folder, notes -> Warnings.noted(folder, notes) }
        .mix(cells, annotated)
        .map { folder -> tuple(folder, 'profiles') }
    tables = csv.map { folder, notes -> tuple(Warnings.noted(folder, notes), '.') }
    others = tables.mix(qc.map { file -> tuple(file, 'qc') })
    plates = DESCRIBE_PLATES(full.filter { folder -> folder.resolve('images').exists() }).filter { folder -> folder }
    kept = KEEP(profiles.mix(others), outdir).mix(plates)

    emit:
    kept
}
