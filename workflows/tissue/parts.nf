// What the workflows on slides share: parts of a slide, and folders of a layer.

// (part, folder) of all parts of a slide or layer, together: (slide or layer, [folder]).
def whole(parts) {
    return parts
        .map { part, folder -> Gate.holds(part, folder) }
        .map { part, folder -> tuple(Plan.slide(part), folder) }
        .groupTuple()
        .map { slide, folders -> tuple(slide.target, folders.sort { path -> path.name }) }
}

// Of the folders of a layer those that its label image is made of; none of no layer.
def drawn(folders) {
    return (folders ?: []).findAll { path -> path.name ==~ /numbers|paired|labelled.*/ }
}
