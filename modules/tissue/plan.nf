// Everything about a run on slides that can be known before it starts: their headers read, and each cut into tiles.
process PLAN {
    label 'acquire'
    cache false

    input:
    stdin                                       // JSON: params, and where and when the run was started
    path schema
    val names                                   // what is given: input, model, outdir, ...; not what a param names and is not there
    path given, stageAs: 'given/?/*'            // the files and folders of these names, in that order
    path folders, stageAs: 'folders/?'          // the slides' local folders

    output:
    path 'plan'

    script:
    def options = [names, given].transpose().collect { name, path -> "--${name} ${path}" }.join(' ')
    """
    tissue_plan.py - ${schema} plan --folders folders ${options} || [ \$? = 64 ]     # what must be mended is said by the workflow
    """
}
