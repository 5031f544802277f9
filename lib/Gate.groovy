import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.Semaphore
import java.util.concurrent.TimeUnit
import nextflow.Global

/** Bounds the batches under way, and says what becomes of a task that failed. In the head only; a resumed run begins anew. */
class Gate {
    private static final int ROW = 3                        // batches lost one after the other: it is not the data
    private static final int BAD_DATA = 65                  // of a task whose input cannot be used: bin/idrstream/base/task.py
    private static final int TAIL = 20                      // lines of a lost task's log
    // 125: docker or podman failed; 143: a scheduler ended it; 255: Apptainer failed, or ssh; the last: its node is gone
    static final List MAY_HEAL = [75, 125, 137, 140, 143, 255, Integer.MAX_VALUE]
    private static final String OF_THE_ENGINE = /INFO: .*|.*cd: too many arguments/  // Nextflow's cd into a folder with spaces

    private static Semaphore slots = new Semaphore(1)
    private static final Map<String, Integer> held = new ConcurrentHashMap<>()   // batches that are in: how many slots each has
    private static final Map<String, Map> lost = new ConcurrentHashMap<>()
    private static volatile boolean closed = false
    private static boolean goOn = true
    private static int width = 1, peak = 0, row = 0, healed = 0, ignored = 0
    private static long slot = 1                            // bytes that the plan reckoned with for a batch

    /** Let so many batches of so many BYTES in at a time. GO_ON: after a batch is lost, let others in. */
    static void open(int batches, long bytes, boolean goOn) {
        slots = new Semaphore(batches)
        width = batches
        slot = Math.max(1, bytes)
        this.goOn = goOn
    }

    /** How many slots a batch takes whose folders take so many BYTES; [that number, those there are]. */
    static List<Integer> needed(long bytes) {
        [Math.max(1, Math.ceil(bytes / slot) as int), width]
    }

    /** For filter{}: waits until a batch of so many BYTES has its slots, all there are at most. False once no more batches are let in. */
    static boolean enter(Object id, long bytes = 0) {
        final wanted = needed(bytes).min()
        try {
            while( !closed ) {
                if( slots.tryAcquire(wanted, 1, TimeUnit.SECONDS) ) {
                    if( closed )                            // meanwhile
                        break
                    synchronized( Gate ) {
                        held[id.toString()] = wanted
                        peak = Math.max(peak, held.size())
                    }
                    return true
                }
                heal()
            }
        }
        catch( InterruptedException _ended ) {              // uncaught, it would abort tasks that are to finish
            closed = true
        }
        return false
    }

    /**
     * [META, FOLDER] as they are: a batch or plate has this folder in the work folder from now on, unless it is lost already.
     * FOLDER: an empty list for none.
     */
    static List holds(Map meta, Object folder) {
        if( !(folder instanceof Path) )
            return [meta, folder]
        final bytes = WorkFolders.size(folder as Path)
        synchronized( Gate ) {
            if( lost.containsKey(meta.id.toString()) )
                WorkFolders.delete([folder as Path])
            else
                WorkFolders.add(meta.id.toString(), folder as Path, bytes)
        }
        return [meta, folder]
    }

    /** A batch is committed. */
    static synchronized void done(Object id) {
        row = 0
        WorkFolders.forget(id.toString())
        slots.release(held.remove(id.toString()) ?: 0)
    }

    /**
     * For errorStrategy: by exit code. 64: the user must mend it. One of MAY_HEAL: it may heal. Else the batch or slide is given up.
     * A task without a folder never began: a directive or an input of it is wrong, whatever the batch.
     */
    static String verdict(Map task, Map meta) {
        if( task.exitStatus == 64 || !task.workDir )
            return 'terminate'
        WorkFolders.deleteBegun(task.workDir as Path)
        if( task.exitStatus in MAY_HEAL && task.attempt <= task.maxRetries && !lost.containsKey(meta.id.toString()) )
            return 'retry'
        giveUp(task, meta.id.toString())
        return 'ignore'
    }

    /** Value: JSON of RUN, and of what became of it, once all DONE are committed or given up. Channels, both. */
    static Object ended(Object done, Object run) {
        done.toList().map { all -> [all] }.combine(run).map { _all, about -> Json.text(about + [gate: report()]) }
    }

    /** Lost batches and plates by id: process, exit code, tail of the log; and what the run came to. */
    private static synchronized Map report() {
        return [lost: lost, stopped: closed, inflight: peak, slots: width, disk: WorkFolders.most]
    }

    /** The last lines that a task wrote, without those of its engine. */
    static List<String> tail(Map task) {
        final log = (task.workDir as Path).resolve('.command.log')
        return Files.exists(log) ? log.readLines().findAll { line -> !(line ==~ OF_THE_ENGINE) }.takeRight(TAIL) : []
    }

    private static synchronized void giveUp(Map task, String id) {
        ignored += 1
        if( lost.containsKey(id) )                          // by the task beside this one, whose loss took its input
            return
        WorkFolders.delete(WorkFolders.forget(id))
        lost[id] = [process: task.process.tokenize(':').last(), exit: task.exitStatus, log: tail(task)]
        if( task.exitStatus != BAD_DATA )
            row += 1
        if( !goOn || row >= ROW )
            closed = true
        slots.release(held.remove(id) ?: 0)
    }

    /** Slots of batches whose task was ignored without us: a site's configuration has replaced our errorStrategy. */
    private static synchronized void heal() {
        final unseen = Global.session.statsObserver.quickStats.ignoredCount - ignored
        if( unseen > healed ) {
            final most = held.values().max() ?: 1           // of theirs we do not know which
            slots.release(Math.min((unseen - healed) * most, width - slots.availablePermits()))
            healed = unseen
        }
    }
}
