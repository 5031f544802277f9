// Weights of a network, from where they are published: whole or not at all. On the head, by plain Python.
process FETCH_WEIGHTS {
    label 'head'

    input:
    val weights                                 // [address, sha256 or null]

    output:
    tuple path("${weights.address.tokenize('/').last()}"), path('log.txt')

    script:
    def checked = weights.sha256 ? "--sha256 ${weights.sha256}" : ''
    """
    fetch_weights.py ${Places.quoted(weights.address)} ${weights.address.tokenize('/').last()} ${checked} > log.txt
    """

    stub:
    """
    touch ${weights.address.tokenize('/').last()} log.txt
    """
}
