import nextflow.util.Duration
import nextflow.util.MemoryUnit

/**
 * What a task asks for: at least 1.5 times what was measured (docs/clusters-and-clouds.md), by the size of frames that the study
 * description gives, and more each time it is tried again.
 */
class Needs {
    private static final long GB = 1L << 30

    /** Memory of a task of which each thread takes frames one by one. CUDA's libraries take some gigabytes of the machine's too. */
    static MemoryUnit frame(Map meta, Map task) {
        return new MemoryUnit((long) (((task.accelerator ? 6 : 2) * GB + 120 * meta.pixels * task.cpus) * task.attempt))
    }

    /** Memory of a task that holds a batch's cells at once. */
    static MemoryUnit cells(Map meta, Map task) {
        return new MemoryUnit((long) ((GB + 10 * meta.pixels * meta.images) * task.attempt))
    }

    /** Memory of a task that takes a slide or slab tile by tile, as the plan reckons it (needs.py of its workflow). */
    static MemoryUnit tile(Map meta, Map task) {
        return new MemoryUnit((long) (((task.accelerator ? 4 : 0) * GB + meta.memory) * task.attempt))
    }

    /** Memory of a task that knows all nuclei of a slide at once, and no pixels. */
    static MemoryUnit whole(Map meta, Map task) {
        return new MemoryUnit((long) ((GB / 2 + meta.pixels) * task.attempt))
    }

    /** Time of a task on a whole slide, and on a part of one; none for one that may wait for a GPU, as of `batch`. */
    static Duration slide(Map meta, Map task) {
        if( task.executor == 'local' && 'gpu' in task.label )
            return null
        return Duration.of((long) (3_600_000 + meta.pixels / 1000) * task.attempt)
    }

    static Duration part(Map meta, Map task) {
        if( task.executor == 'local' && 'gpu' in task.label )
            return null
        return Duration.of((long) (3_600_000 + 20 * meta.pixels / 1000 / meta.parts) * task.attempt)
    }

    /** Time of a task that predicts a slab of a volume, as the plan reckons it for one processor; none as above. */
    static Duration predicted(Map meta, Map task) {
        if( task.executor == 'local' && 'gpu' in task.label )
            return null
        return Duration.of((long) (3_600_000 + 4000 * meta.seconds) * task.attempt)
    }

    /**
     * Time of a task on all images of a batch: its start, and a minute an image. None for one that may wait for a GPU of this
     * machine (conf/gpu_lock.sh): how long another task has it is not for this one to answer for.
     */
    static Duration batch(Map meta, Map task) {
        if( task.executor == 'local' && 'gpu' in task.label )
            return null
        return Duration.of((long) (3_600_000 + 60_000 * meta.images) * task.attempt)
    }
}
