// Which checkpoint the volumes are made by, once all are compared, and so what is to be done of them. On the head, by plain Python.
process CHOOSE {
    label 'head'
    cache false

    input:
    path plan
    val outdir
    val how

    output:
    path 'chosen'

    script:
    """
    volume_choose.py ${plan} chosen --outdir ${Places.quoted(outdir)} ${how.args}
    """

    stub:
    """
    mkdir chosen && echo '{"lines": [], "slabs": [], "volumes": []}' > chosen/plan.json
    """
}
