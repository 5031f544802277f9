import java.nio.file.Files
import java.nio.file.InvalidPathException
import java.nio.file.Path
import nextflow.Nextflow

/** What the planner wrote, as the workflows need it. */
class Plan {
    private static int batches = 0
    private static long cells = 0
    private static final Set<String> larger = [] as Set      // plates whose frames are larger than the plan reckoned with

    /**
     * The plan in the planner's FOLDER, once it is said to the user and the gate is open; ends the run where the plan has problems.
     * INPUTS: max_inflight, go_on, keep. LOG: the script's.
     */
    static Map agreed(Path folder, Map inputs, Path work, Object log) {
        final plan = read(folder)
        final problems = plan.problems ?: Places.faults(plan.folders as List)
        if( problems )
            Nextflow.error("nothing was started, because of\n  ${problems.join('\n  ')}")
        log.info plan.text
        Gate.open(slots(inputs.max_inflight, plan.batch_bytes as long, work), plan.batch_bytes as long, inputs.go_on as boolean)
        WorkFolders.open(inputs.keep as boolean)
        return plan
    }

    /** A PLAN as it is, once the user has seen what BEGIN did to the output folder; BEGUN is what it printed. */
    static Map begun(Map plan, Path begun, Object log) {
        Json.read(begun).lines.each { line -> log.info line }
        return plan
    }

    /** The JSON of a slab for its prediction, beside the one for what follows. */
    static Path prediction(Path packet) {
        packet.parent.resolveSibling('predict').resolve(packet.fileName)
    }

    /** What is to be done by the checkpoint that was chosen, out of the FOLDER of CHOOSE, once it is said to the user. */
    static Map chosen(Path folder, Object log) {
        final plan = read(folder)
        plan.lines.each { line -> log.info line }
        return plan
    }

    /** plan.json of the planner's FOLDER, and that folder; without what only commands read. */
    static Map read(Path folder) {
        Json.read(folder.resolve('plan.json')).findAll { name, _value -> !(name in ['requested', 'places']) } + [folder: folder]
    }

    /** (map, JSON file) of every batch or plate that is left to do. */
    static List packets(Map plan, String kind) {
        plan[kind].collect { packet -> [packet, plan.folder.resolve("${kind}/${packet.id}.json".toString())] }
    }

    /** The parts of a slide, or layer: its map, with `part` from 0. */
    static List<Map> parts(Map slide) {
        (0..<slide.parts).collect { number -> slide + [part: number] }
    }

    /** The slide, or layer, of a part, as a key that knows how many parts it has. */
    static Object slide(Map part) {
        Nextflow.groupKey(part.findAll { name, _value -> name != 'part' }, part.parts as int)
    }

    /** The slide of a layer, as a key that knows how many layers it has. */
    static Object layered(Map layer) {
        final flooded = layer.watershed.collectMany { search -> search.layers }
        Nextflow.groupKey(layer.findAll { name, _value -> name != 'layer' }, layer.layers.size() + flooded.size() + layer.given.size())
    }

    /** The layers of a slide that one network for deep watershed looks for: SEARCH is the slide's map with `search`. */
    static List<Map> sought(Map search) {
        search.search.layers.collect { name -> search.findAll { key, _value -> key != 'search' } + [layer: name] }
    }

    /** What a task needs of this machine's folders for a batch, plate or slide, by the planner's JSON of it. */
    static List folders(Path packet) {
        final needed = Json.read(packet)
        final images = (needed.images ?: [needed]).collectMany { image -> image.locations + (image.given?.values() ?: []) + [image.npz?.location] }
            .findAll { place -> place && !Params.isAddress(place) }
            .collect { place -> onDisk(needed.root, place) }
        return Places.folders(needed.folders as List, images, packet)
    }

    /** A file, in ROOT if there is one. Java reads names by the locale, which may have no letters beyond ASCII. */
    private static Path onDisk(Object root, Object place) {
        try {
            return root ? Path.of(root as String, place as String) : Path.of(place as String)
        }
        catch( InvalidPathException reason ) {
            throw new IllegalStateException("${place}: Java cannot read this name (${reason.reason}); set LC_ALL=C.UTF-8 and start again")
        }
    }

    /** The label images in OUTDIR that a batch is to take, by the planner's JSON of it. */
    static List labels(Path packet, Path outdir) {
        Json.read(packet).kept.findAll { name -> name.endsWith('.tif') }.collect { name -> outdir.resolve(name as String) }
    }

    /** How many batches of so many bytes there is room for; INFLIGHT, or for 'auto' what fits into half of the free disk, 64 at most. */
    static int slots(Object inflight, long bytes, Path work) {
        if( inflight != 'auto' )
            return inflight as int
        final free = Files.getFileStore(Files.createDirectories(work)).usableSpace
        return Math.max(1, Math.min(64, free.intdiv(2 * Math.max(1, bytes)) as int))
    }

    /**
     * BATCH with the size of frames that those of its plates have, `pixels` and `bytes`, and the disk that it will `work` with.
     * CALIBRATION: a folder of each plate. Warns once of plates whose batches take more of the disk than planned.
     */
    static synchronized Map sized(Map batch, List<Path> calibration, Object log) {
        final frames = calibration.collect { folder -> folder.resolve('fields.json') }.findAll { path -> Files.exists(path) }
            .collect { path -> Json.read(path).frames }.findAll { frame -> frame }
        if( !frames )
            return batch
        final pixels = frames*.pixels.max() as long, bytes = frames*.bytes.max() as long
        final labels = pixels.intdiv(20) - batch.pixels.intdiv(20)                   // they are packed
        final work = batch.work + batch.images * (bytes - batch.bytes + labels)
        final (needed, slots) = Gate.needed(work)
        if( needed > 1 && larger.addAll(batch.plates) ) {
            final size = { count -> String.format(Locale.ROOT, '%.1f MB', count / 1e6) }
            final effect = needed > slots
                ? "batches of this plate run one at a time"
                : "each batch of this plate counts as ${needed} of the ${slots} that may be on disk at a time"
            log.warn "${batch.plates.join(', ')}: frames are ${size(bytes)}, not ${size(batch.bytes)} as planned; ${effect}"
        }
        return batch + [pixels: pixels, bytes: bytes, work: work]
    }

    /** The line of a committed batch, with what the run has come to; RECEIPT is what COMMIT printed. */
    static synchronized String progress(Map batch, Path receipt, int planned) {
        final done = Json.read(receipt)
        batches += 1
        cells += done.cells as long
        final failed = done.failed ? ", ${done.failed} failed" : ''
        return "batch ${batch.number} done (${batches} of ${planned}): ${done.images} images${failed}, ${done.cells} cells; ${cells} cells so far"
    }
}
