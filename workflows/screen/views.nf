// What is made of all cells of an output folder, when a run has ended: quality control, profiles of wells, other forms, plates of images.

include { VIEW as PLATE_PROFILES  } from '../../modules/screen/view'
include { VIEW as NORMALIZE_CELLS } from '../../modules/screen/view'
include { VIEW as MARK_PHENOTYPES } from '../../modules/screen/view'
include { VIEW as TO_ANNDATA      } from '../../modules/screen/view'
include { VIEW as EXPORT          } from '../../modules/screen/view'
include { QC              } from '../../modules/screen/qc'
include { DESCRIBE_PLATES } from '../../modules/screen/describe_plates'
include { KEEP            } from '../../modules/common/keep'

workflow VIEWS {
    take:
    ended                                       // a value when all batches are committed or given up
    inputs                                      // map: qc_rules; phenotypes, a table of points; streams
    stages                                      // those of the views that are wanted
    outdir                                      // where results are kept

    main:
    full = ended.map { _summary -> outdir }
    wells = PLATE_PROFILES(full, 'profiles/wells', [], stages.plate_profiles)
    cells = NORMALIZE_CELLS(full, 'profiles/normalized_cells', [], stages.normalize_cells)
    marked = MARK_PHENOTYPES(full, 'profiles/phenotypes', inputs.phenotypes, stages.mark_phenotypes)
    annotated = TO_ANNDATA(full, 'profiles/h5ad', [], stages.to_anndata)
    tables = EXPORT(full, inputs.streams ? 'streams' : 'csv', [], stages.export)
    views = wells.mix(cells, marked, annotated, tables).map { place, folder, notes -> tuple(Warnings.logNotes(folder, notes, true), place) }
    figures = QC(full, inputs.qc_rules, stages.qc).flatten().map { table -> tuple(table, "qc/${table.name}") }
    plates = DESCRIBE_PLATES(full.filter { folder -> folder.resolve('images').exists() }).filter { folder -> folder }
    kept = KEEP(views.mix(figures), outdir).mix(plates)

    emit:
    kept                                        // where each lies now
}
