// Features of every cell, of the families that are wanted: deep, classical (cp), both or none.

include { EMBED        } from '../../modules/screen/embed'
include { DEEPPROFILER } from '../../modules/screen/deepprofiler'
include { MEASURE      } from '../../modules/screen/measure'

workflow FEATURES {
    take:
    nuclei                                      // (batch, frames, [calibration], label images)
    inputs                                      // map: families; embed_model; dp_config and dp_checkpoint, DeepProfiler's own
    stages

    main:
    none = nuclei.map { batch, _frames, _calibration, _labels -> tuple(batch, []) }
    embedded = !('deep' in inputs.families) ? none
        : inputs.embedder == 'deepprofiler' ? DEEPPROFILER(nuclei, inputs.dp_config, inputs.dp_checkpoint, stages.embed).features
        : EMBED(nuclei, inputs.embed_model, stages.embed).features
    measured = 'cp' in inputs.families ? MEASURE(nuclei, stages.measure).features : none
    deep = embedded.map { batch, folder -> Gate.holds(batch, folder) }
    classical = measured.map { batch, folder -> Gate.holds(batch, folder) }
    features = deep.join(classical).map { batch, first, second -> tuple(batch, [first, second].flatten()) }

    emit:
    features                                    // (batch, [a folder for each family])
}
