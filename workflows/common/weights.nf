// Weights of a network: a file as it is, or one that is fetched from where it is published.

include { FETCH_WEIGHTS } from '../../modules/common/fetch_weights'

workflow WEIGHTS {
    take:
    wanted                                      // a file; [address, sha256 or null]; [] for none

    main:
    weights = !(wanted instanceof Map) ? channel.value(wanted)
        : FETCH_WEIGHTS(wanted).map { file, told ->
            log.info told.text
            return file
        }

    emit:
    weights                                     // value: the file, or []
}
