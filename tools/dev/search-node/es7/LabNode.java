import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.Plugin;

/** Starts one Elasticsearch 7.17 or, with its own names, OpenSearch 2 node in this JVM; plugins come from the class path.  Arguments are settings. */
public class LabNode extends Node {
    LabNode(Environment env, Collection<Class<? extends Plugin>> plugins) { super(env, plugins, false); }

    public static void main(String[] args) throws Exception {
        Path home = Path.of(System.getProperty("lab.home")).toAbsolutePath();
        LogConfigurator.setNodeName("lab");
        Settings.Builder s = Settings.builder().put("path.home", home.toString());
        for (String a : args) {
            int eq = a.indexOf('=');
            s.put(a.substring(0, eq), a.substring(eq + 1));
        }
        List<Class<? extends Plugin>> plugins = new ArrayList<>();
        for (String c : System.getProperty("lab.plugins").split(","))
            plugins.add(Class.forName(c).asSubclass(Plugin.class));
        Environment env = InternalSettingsPreparer.prepareEnvironment(s.build(), Map.of(), home.resolve("config"), () -> "lab");
        Node node = new LabNode(env, plugins);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try { node.close(); } catch (Exception e) { e.printStackTrace(); }
        }));
        node.start();
        System.out.println("LAB NODE STARTED after " + java.lang.management.ManagementFactory.getRuntimeMXBean().getUptime() + " ms");
        Thread.currentThread().join();
    }
}
