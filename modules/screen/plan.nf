// Everything about a run that can be known before it starts: checked, counted, and cut into batches.
process PLAN {
    label 'acquire'
    cache false

    input:
    stdin                                       // JSON: params, and where and when the run was started
    path schema
    val names                                   // what is given: input, model, outdir, ...; not what a param names and is not there
    path given, stageAs: 'given/?/*'            // the files and folders of these names, in that order

    output:
    path 'plan'

    script:
    def options = [names, given].transpose().collect { name, path -> "--${name} ${path}" }.join(' ')
    """
    screen_plan.py - ${schema} plan ${options} || [ \$? = 64 ]     # what must be mended is said by the workflow
    """
}
