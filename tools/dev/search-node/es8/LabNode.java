import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** Starts one Elasticsearch 8.18+/8.19 node in this JVM. Arguments are settings. */
public class LabNode {
    public static void main(String[] args) throws Exception {
        Path home = Path.of(System.getProperty("lab.home")).toAbsolutePath();
        LogConfigurator.setNodeName("lab");
        LogConfigurator.configureESLogging();          // without this PluginsService dies in a static initialiser
        Settings.Builder s = Settings.builder().put("path.home", home.toString());
        for (String a : args) {
            int eq = a.indexOf('=');
            s.put(a.substring(0, eq), a.substring(eq + 1));
        }
        Environment env = new Environment(s.build(), home.resolve("config"));
        PluginsLoader loader = PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(env.modulesDir()),
            PluginsLoader.loadPluginsBundles(env.pluginsDir()),
            Map.of(),
            false);                                    // false: no module-layer checks, we run on the class path
        Node node = new Node(env, loader);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try { node.close(); } catch (Exception e) { e.printStackTrace(); }
        }));
        node.start();
        System.out.println("LAB NODE STARTED after " + java.lang.management.ManagementFactory.getRuntimeMXBean().getUptime() + " ms");
        Thread.currentThread().join();
    }
}
