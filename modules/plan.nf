// Everything about a run that can be known before it starts: checked, counted, and cut into batches.
process PLAN {
    label 'acquire'
    cache false

    input:
    stdin                                       // params, the folder that relative paths start from, and whether --source is there
    path schema
    path input,   stageAs: 'input/*'            // these are empty where a param names nothing that exists
    path listing, stageAs: 'listing/*'          // the names in --input, where that is a folder
    path streams, stageAs: 'streams'            // the folder, for the tables lie beside the file
    path screens, stageAs: 'screens/*'
    path zarr_index, stageAs: 'zarr_index/*'
    path ascp,    stageAs: 'ascp/*'
    path aspera_key, stageAs: 'aspera_key/*'
    path study,   stageAs: 'study/*'
    path qc_rules, stageAs: 'qc_rules/*'
    path model,   stageAs: 'model/*'
    path dp_config,     stageAs: 'dp_config/*'
    path dp_checkpoint, stageAs: 'dp_checkpoint/*'
    path embed_model,   stageAs: 'embed_model/*'
    path phenotypes,    stageAs: 'phenotypes/*'
    path locks,   stageAs: 'locks'               // a folder a tool: the versions its environment has
    path outdir,  stageAs: 'outdir/*'

    output:
    path 'plan'

    script:
    def files = [input: input, screens: screens, study: study, qc_rules: qc_rules, model: model, dp_config: dp_config, dp_checkpoint: dp_checkpoint, embed_model: embed_model, phenotypes: phenotypes]
    def places = [listing: listing, streams: streams, zarr_index: zarr_index, ascp: ascp, aspera_key: aspera_key, locks: locks, outdir: outdir]
    def options = (files + places).findAll { _name, path -> path }.collect { name, path -> "--${name} ${path}" }.join(' ')
    """
    plan.py - ${schema} plan ${options} || [ \$? = 64 ]     # what must be mended is said by the workflow
    """
}
