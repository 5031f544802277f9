import groovy.json.JsonOutput
import groovy.json.JsonSlurperClassic
import java.nio.file.Path

class Json {
    static Map read(Path path) {
        new JsonSlurperClassic().parse(path.toFile()) as Map
    }

    static String text(Object content) {
        JsonOutput.toJson(content)
    }
}
