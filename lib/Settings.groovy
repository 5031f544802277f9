import groovy.json.JsonSlurper
import java.nio.file.FileSystems
import java.nio.file.Path
import nextflow.Global

/** The params of a run as its workflow takes them. SCHEMA is nextflow_schema.json, read: `x-workflows` says which param is whose. */
class Settings {
    /** The schema in a FILE, its params in the order of the file. */
    static Map schema(Path file) {
        new JsonSlurper().parse(file.toFile()) as Map
    }

    /** PARAMS with the workflow's defaults for what is not given. Nextflow makes a number of a folder called 20240115: text stays text. */
    static Map of(Map schema, Map params) {
        final known = rules(schema, workflow(schema, params)).collectEntries { group -> group.rules }
        final defaults = known.collectEntries { name, rule -> [name, fallback(rule)] }
        final given = params.findAll { _name, value -> value != null }
        return defaults + given.collectEntries { name, value -> [name, value instanceof Number && known[name]?.type == 'string' ? value.toString() : value] }
    }

    /** The chosen workflow. */
    static String workflow(Map schema, Map params) {
        final names = schema['$defs'].input.properties.workflow['enum']
        if( params.workflow in names )
            return params.workflow
        throw new IllegalStateException("--workflow ${params.workflow}: there is no such workflow; --workflow is one of ${names.join(', ')}")
    }

    /** The groups of params that a workflow takes: [title, rules: name -> what the schema says of it, with what the workflow lays over it]. */
    static List<Map> rules(Map schema, String workflow) {
        final groups = schema['$defs'].values().collect { group ->
            final taken = group.properties.findAll { _name, rule -> rule['x-workflows'].containsKey(workflow) }
            [title: group.title, rules: taken.collectEntries { name, rule -> [name, rule + rule['x-workflows'][workflow]] }]
        }
        return groups.findAll { group -> group.rules }
    }

    /** The default of a param: `x-queued` where a scheduler queues the tasks, over a disk that can be asked how free it is. */
    private static Object fallback(Map rule) {
        final session = Global.session
        final queued = !(session.config.navigate('process.executor') in [null, 'local']) && session.workDir.fileSystem == FileSystems.default
        return queued && rule.containsKey('x-queued') ? rule['x-queued'] : rule['default']
    }
}
