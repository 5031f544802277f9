// The flat-field of a plate, or one of every image of a batch, with its figures; refused if it cannot be trusted.
process FLATFIELD {
    tag "${meta.id}"
    label 'cellpose'
    memory { Needs.frame(meta, task) }
    time { Needs.batch(meta, task) }
    errorStrategy { Gate.verdict(task, meta) }

    input:
    tuple val(meta), path(frames)
    val how                                     // how.args, and a digest of the code: part of the cache key

    output:
    tuple val(meta), path("${meta.id}.fields"), emit: fields
    tuple val(task.process), eval('screen_flatfield.py --version'), topic: versions

    script:
    """
    screen_flatfield.py ${frames} ${meta.id}.fields ${how.args}
    """

    stub:
    """
    mkdir ${meta.id}.fields && cd ${meta.id}.fields
    echo '{"fields": {}, "frames": null, "lost": null}' > fields.json
    echo '{"lines": [], "notes": []}' > notes.json
    """
}
