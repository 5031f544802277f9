// The output folder is made ready: stale results aside, what a killed run left deleted, what is asked for recorded. On the head.
process BEGIN {
    label 'head'
    cache false

    input:
    path plan
    val outdir

    output:
    path 'begun.json'

    script:
    """
    begin.py ${plan} --outdir ${Places.quoted(outdir)} --workdir ${Places.quoted(workflow.workDir)} > begun.json
    """

    stub:
    """
    echo '{"lines": []}' > begun.json
    """
}
