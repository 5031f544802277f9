import groovy.json.JsonOutput
import groovy.json.JsonSlurperClassic
import java.nio.channels.FileChannel
import java.nio.file.FileSystems
import java.nio.file.Files
import java.nio.file.InvalidPathException
import java.nio.file.Path
import java.nio.file.StandardCopyOption
import java.nio.file.StandardOpenOption
import java.security.DigestInputStream
import java.security.MessageDigest
import nextflow.Nextflow

/** What the head must do itself before the first task: find the files that params name, and read what the planner wrote. */
class Launch {
    private static final String ELSEWHERE = /(?s)~\/.*|[A-Za-z]:[\\\/].*|\\\\.*/   // by a shell, by Windows
    private static int batches = 0
    private static long cells = 0
    private static final Set<String> larger = [] as Set      // plates whose frames are larger than the plan reckoned with
    private static FileChannel claimed              // open as long as the run lasts

    /** The file at a path, for a task; an empty list, which a process takes for no file, where there is none. */
    static Object existing(Object path) {
        final found = path && !isAddress(path) ? pathOf(path) : null
        return found && Files.isRegularFile(found) ? Places.staged(found) : []
    }

    /** The folder in which the file of a param lies, likewise. */
    static Object beside(Object path, String param) {
        return existing(path) ? Places.staged(pathOf(path).toAbsolutePath().parent, "${param} ${path}".toString()) : []
    }

    /** The folder at a path, as it is; an empty list where there is none. */
    static Object folder(Object path) {
        final found = path && !isAddress(path) ? pathOf(path) : null
        return found && Files.isDirectory(found) ? found : []
    }

    /** A file the user names by path, or one of ours by its short name. */
    static Object named(Object name, String folder, String suffix) {
        final ours = existing("${folder}/${name}${suffix}".toString())
        return name && ours ? ours : existing(name)
    }

    /** The model that comes with the pipeline, a file, or the weights of a name that Cellpose knows, fetched into FOLDER. */
    static Object model(String name, String ours, Map schema, String address, Path folder, Object log) {
        if( name == 'idrstream' )
            return existing(ours)
        final weights = schema['$defs'].segmentation.properties.model['x-weights'][name]
        return existing(name) ?: weights ? fetched("${address}/${weights}", folder.resolve(weights as String), log) : []
    }

    /** A file of a web server, by one request (staged by Nextflow it takes four), whole or not at all; its checksum is said. */
    private static Path fetched(String address, Path target, Object log) {
        if( Files.exists(target) )
            return target
        final part = Files.createDirectories(target.parent).resolve("${target.fileName}.part".toString())
        try {
            final connection = new URL(address).openConnection()
            connection.connectTimeout = 10_000      // milliseconds
            connection.readTimeout = 60_000
            final digest = MessageDigest.getInstance('SHA-256')
            connection.inputStream.withStream { stream ->
                Files.copy(new DigestInputStream(stream, digest), part, StandardCopyOption.REPLACE_EXISTING)
            }
            if( connection.contentLengthLong >= 0 && connection.contentLengthLong != Files.size(part) )
                throw new IOException("${Files.size(part)} of ${connection.contentLengthLong} bytes arrived")
            log.info("model ${target.fileName}: ${Files.size(part)} bytes, sha256 ${digest.digest().encodeHex()}, from ${address}")
            return Files.move(part, target, StandardCopyOption.ATOMIC_MOVE)
        }
        catch( IOException reason ) {
            throw new IllegalStateException("the model's weights could not be fetched from ${address} (${reason.message})")
        }
    }

    /** The output folder, made if need be; an empty list if it cannot be written, or is named as elsewhere. */
    static Object writable(Object path) {
        if( isAddress(path) || path ==~ ELSEWHERE )
            return []
        final folder = Places.output(pathOf(path))
        try {
            Files.createDirectories(folder)
        }
        catch( IOException _e ) {
            return []
        }
        return Files.isWritable(folder) ? folder : []
    }

    /** An output folder that a run has begun to write to. */
    static Path begun(Object path) {
        final found = folder(path)
        if( found && Files.isRegularFile(found.resolve('pipeline_info/plan.json')) )
            return Places.output(found)
        throw new IllegalStateException("--report_only: in --outdir ${path} no run has begun, so there is nothing to report on")
    }

    /** Claims the output folder until this run ends, however it ends: what two runs at once commit they would take from each other. */
    static void claim(Object folder) {
        if( !(folder instanceof Path) )
            return
        try {
            claimed = FileChannel.open(folder.resolve('.running'), StandardOpenOption.CREATE, StandardOpenOption.WRITE)
            if( claimed.tryLock() )
                return
        }
        catch( IOException _e ) {                   // a file system without locks
            return
        }
        throw new IllegalStateException("--outdir ${folder}: another run is writing to it; wait for its end, or name another folder")
    }

    /** A path as it is written: brackets and stars in it are no pattern. */
    private static Path pathOf(Object path) {
        Nextflow.file(path.toString(), glob: false) as Path
    }

    static boolean isAddress(Object path) {
        path.toString() ==~ /(?s)[A-Za-z][A-Za-z0-9+.-]*:\/\/.*/
    }

    /** A path, or several, as words of a shell's command line, whatever is in them. */
    static String quoted(Object paths) {
        (paths instanceof List ? paths : [paths]).collect { path -> "'" + path.toString().replace("'", "'\\''") + "'" }.join(' ')
    }

    static String json(Map content) {
        JsonOutput.toJson(content)
    }

    /** A JSON file; of a folder, the planner's plan.json. */
    static Map read(Path path) {
        new JsonSlurperClassic().parse((Files.isDirectory(path) ? path.resolve('plan.json') : path).toFile()) as Map
    }

    /** Paths as text, in an order of their own: for a process that is to name them, not to have them staged. Not those in a bucket. */
    static List text(List paths) {
        paths.findAll { path -> path.fileSystem == FileSystems.default }.collect { path -> path.toString() }.sort()
    }

    /** (map, file) of every batch or plate that the planner wrote. */
    static List packets(Path plan, String kind) {
        read(plan)[kind].collect { packet -> [packet, plan.resolve("${kind}/${packet.id}.json".toString())] }
    }

    /** What FETCH needs of this machine's folders for a batch or plate, by the planner's JSON of it. */
    static List folders(Path packet) {
        final needed = read(packet)
        final images = needed.images.collectMany { asked -> asked.locations }.findAll { place -> !isAddress(place) }
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
        read(packet).kept.findAll { name -> name.endsWith('.tif') }.collect { name -> outdir.resolve(name as String) }
    }

    /** How many batches of so many bytes there is room for; ASKED, unless that is 'auto': what fits into half of the free disk, 64 at most. */
    static int slots(Object asked, long bytes, Path work) {
        if( asked != 'auto' )
            return asked as int
        final free = Files.getFileStore(Files.createDirectories(work)).usableSpace
        return Math.max(1, Math.min(64, free.intdiv(2 * Math.max(1, bytes)) as int))
    }

    /**
     * BATCH with the size of frames that those of its plates have, `pixels` and `bytes`, and the disk that it will `work` with.
     * KNOWN: a folder of each plate. Plates whose batches take more of the disk than the plan reckoned with are said, once.
     */
    static synchronized Map sized(Map batch, List<Path> known, Object log) {
        final frames = known.collect { folder -> folder.resolve('fields.json') }.findAll { path -> Files.exists(path) }
            .collect { path -> read(path).frames }.findAll { frame -> frame }
        if( !frames )
            return batch
        final pixels = frames*.pixels.max() as long, bytes = frames*.bytes.max() as long
        final labels = pixels.intdiv(20) - batch.pixels.intdiv(20)                   // they are packed
        final work = batch.work + batch.images * (bytes - batch.bytes + labels)
        final (needed, there) = Gate.needed(work)
        if( needed > 1 && larger.addAll(batch.plates) ) {
            final size = { count -> String.format(Locale.ROOT, '%.1f MB', count / 1e6) }
            final so = needed > there
                ? "a batch of them needs more disk than --max_inflight has reckoned with in all, so each goes alone"
                : "a batch of them counts as ${needed} of the ${there} that may be on disk at a time"
            log.warn "${batch.plates.join(', ')}: frames take ${size(bytes)}, where the plan reckoned with ${size(batch.bytes)}; ${so}"
        }
        return batch + [pixels: pixels, bytes: bytes, work: work]
    }

    /** The numbers of bits that --bit_depth takes, ascending; SCHEMA: nextflow_schema.json. */
    static List depths(Path schema) {
        read(schema)['$defs'].fetch.properties.bit_depth['enum'].findAll { bits -> bits instanceof Number }
    }

    /** (PLATE, FOLDER) as they are, once it is said of how many bits, one of DEPTHS, the plate's grey levels are; FOLDER is what FLATFIELD made. */
    static List ranged(Map plate, Path folder, List depths, Object log) {
        final frames = read(folder.resolve('fields.json')).frames
        if( frames?.bits ) {
            final fewest = depths.find { bits -> frames.highest < 2**bits }
            final why = frames.significant == frames.bits ? ', as its files say' : frames.bits == fewest ? ', the fewest that hold its reference frames' : ''
            log.info "${plate.id}: grey levels up to ${frames.highest}, of ${frames.bits} bits${why}"
        }
        return [plate, folder]
    }

    /** (META, FOLDER) as they are, once it is said what is doubtful of the flat-fields of a plate or batch; FOLDER is what FLATFIELD made. */
    static List heard(Map meta, Path folder, Object log) {
        final found = read(folder.resolve('fields.json')).fields
        final refused = found.findAll { _name, facts -> facts.status == 'refused' }
        refused.values()*.reason.countBy { reason -> reason }.each { reason, count ->
            final whom = found.size() > 1 ? "${count} of ${found.size()} images" : 'it'
            log.warn("${meta.id}: no flat-field for ${whom}, so none is applied: ${reason}")
        }
        found.values().findAll { facts -> facts.status == 'ok' }.each { facts ->
            facts.left_out?.each { key, reason -> log.warn("${key} ${reason}: left out of its plate's flat-field") }
            final offset = facts.camera_offset
            if( offset?.state == 'none' )
                log.warn("${meta.id}: the camera's offset could not be estimated and is taken for 0, so the flat-field may be several per cent too flat: ${offset.reason}")
            if( offset?.state == 'rough' )
                log.warn("${meta.id}: the camera's offset is estimated roughly, ${offset.low} to ${offset.high} grey levels from ${offset.nuclei} nuclei; the flat-field may be off by ${Math.round(1000 * offset.bound) / 10} %")
        }
        return [meta, folder]
    }

    /** The line of a committed batch, with what the run has come to; RECEIPT is what COMMIT printed. */
    static synchronized String progress(Map batch, Path receipt, int planned) {
        final done = read(receipt)
        batches += 1
        cells += done.cells as long
        final failed = done.failed ? ", ${done.failed} failed" : ''
        return "batch ${batch.number} done (${batches} of ${planned}): ${done.images} images${failed}, ${done.cells} cells; ${cells} cells so far"
    }
}
