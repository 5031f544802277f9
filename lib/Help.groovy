/** `--help`: the usual params of the chosen workflow, with their defaults; `--help all`: every one. */
class Help {
    private static final int WIDE = 110                      // characters of a line

    /** SCHEMA: nextflow_schema.json, read. */
    static String text(Map schema, Map params) {
        final workflow = Settings.workflow(schema, params), values = Settings.of(schema, params)
        final groups = Settings.rules(schema, workflow)
        final names = groups.collectMany { group -> group.rules.keySet() }
        final hidden = params.help == 'all' ? [] : names - usual(groups)
        final width = (names - hidden)*.size().max() + 4     // of a name, with its dashes and two blanks
        final lines = [schema.description, "--workflow ${workflow}: ${schema['x-about'][workflow]}".toString(), '', "  ${schema['x-examples'][workflow]}".toString()]
        groups.each { group ->
            final shown = group.rules.findAll { name, _rule -> !(name in hidden) }
            lines.addAll(shown ? ['', group.title] : [])
            shown.each { name, rule ->
                final value = values[name] in [null, false] || name == 'help' ? '' : " [${values[name]}]"
                lines.addAll(indented("--${name}".padRight(width), "${rule.description}${value}"))
            }
        }
        if( hidden )
            lines.addAll(['', "${hidden.size()} more, for less usual needs: --help all"])
        return lines.join('\n')
    }

    private static List usual(List<Map> groups) {
        groups.collectMany { group -> group.rules.findAll { _name, rule -> !rule.hidden }.keySet() }
    }

    /** NAME, and the TEXT beside it, in lines of at most WIDE characters. */
    private static List indented(String name, String text) {
        final lines = [new StringBuilder("  ${name}")]
        text.tokenize(' ').each { word ->
            if( lines.last().size() + word.size() >= WIDE )
                lines << new StringBuilder(' ' * (name.size() + 2))
            lines.last() << word << ' '
        }
        return lines*.toString()*.stripTrailing()
    }
}
