import java.nio.file.Files
import java.nio.file.Path

/** What a run warns of and is not failed by: views and reports that could not be made, and what a view left out. In the head only. */
class Warnings {
    private static final int LONGEST = 300                  // characters of a log that are repeated
    private static final List<String> sentences = [].asSynchronized()
    private static Path outdir
    private static Object log

    /** FOLDER: the output folder; no path if there is none. LOG: the script's. */
    static void open(Object folder, Object log) {
        outdir = folder instanceof Path ? folder : null
        this.log = log
    }

    /**
     * For the errorStrategy of a process that makes or keeps PLACE, a path in the output folder: tried again where that may
     * help; else the run goes on without it, and what lies at PLACE stays. STATE: what PLACE is then, if not what it was.
     */
    static String verdict(Map task, Object place, String state = null) {
        if( task.exitStatus in Gate.MAY_HEAL && task.attempt <= task.maxRetries )
            return 'retry'
        final path = outdir.resolve(place.toString()).normalize()
        final remains = state ?: (Files.exists(path) ? 'is of an earlier run' : 'was not made')
        add("${task.process.tokenize(':').last()} ${reason(task)}; ${outdir.relativize(path)} ${remains}")
        return 'ignore'
    }

    /**
     * Log the NOTES of a task, a JSON file with lines and warnings; gives its FOLDER as it is. ATEND: the end of the run and
     * the report repeat the warnings, as those of views; not those of plates, of which there may be hundreds.
     */
    static Path logNotes(Path folder, Path notes, boolean atEnd) {
        final content = Json.read(notes)
        content.lines.each { line -> log.info(line) }
        content.notes.each { note -> atEnd ? add(note) : log.warn(note) }
        return folder
    }

    static List<String> all() {
        sentences.toList()
    }

    static String json() {
        Json.text(all())
    }

    /** Lines for the end of the run. */
    static List<String> closing() {
        all() ? ["warnings   ${sentences.size()}", *all().collect { sentence -> "  ${sentence}" }]*.toString() : []
    }

    private static void add(CharSequence sentence) {
        sentences << sentence.toString()
        log.warn(sentence.toString())
    }

    /** By the last line that the task wrote, or its sentences; what its shell says of a kill is the exit code once more. */
    private static String reason(Map task) {
        final lines = Gate.tail(task)*.trim().findAll { line -> line && !(line =~ /\.command\.sh: line \d+: /) }
        final first = task.exitStatus == 64 ? lines.findLastIndexOf { line -> line.startsWith('Error: ') } : -1
        final words = (lines ? lines[first..-1].join('; ') : 'it said nothing').take(LONGEST) - ~/^Error: /
        return task.exitStatus == 64
            ? "made nothing: ${words}"
            : "ended with exit code ${task.exitStatus}: ${words} (${task.workDir}/.command.log)"
    }
}
