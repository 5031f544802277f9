// Everything about a run on volumes that can be known before it starts: data JSONs, containers, checkpoints; regions cut into slabs.
process PLAN {
    label 'volume'
    label 'single'
    cache false

    input:
    stdin                                       // JSON: params, and where and when the run was started
    path schema
    val names                                   // what is given: data, checkpoint, outdir, ...; not what a param names and is not there
    path given, stageAs: 'given/?/*'            // the files and folders of these names, in that order
    path folders, stageAs: 'folders/?'          // the containers' local folders

    output:
    path 'plan'

    script:
    def options = [names, given].transpose().collect { name, path -> "--${name} ${path}" }.join(' ')
    """
    volume_plan.py - ${schema} plan --folders folders ${options} || [ \$? = 64 ]     # what must be mended is said by the workflow
    """
}
