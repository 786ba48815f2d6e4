import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/** Runs the statements of a file in Flink's MiniCluster. Prints each row of the query, its values separated by tabs. */
class RunSql {
  public static void main(String[] args) throws Exception {
    var configuration = new Configuration();
    configuration.setString("table.local-time-zone", "UTC");
    configuration.setString("parallelism.default", "2");
    var settings = EnvironmentSettings.newInstance().withConfiguration(configuration).inStreamingMode().build();
    var environment = TableEnvironment.create(settings);
    for (var statement : Files.readString(Path.of(args[0])).split(";\\s*\n")) {
      var result = environment.executeSql(statement);
      if (!result.getResultKind().name().equals("SUCCESS_WITH_CONTENT")) continue;
      try (var rows = result.collect()) {
        while (rows.hasNext()) {
          var row = rows.next();
          var line = new StringBuilder(row.getKind().shortString());
          for (int index = 0; index < row.getArity(); index++) line.append('\t').append(row.getField(index));
          System.out.println(line);
        }
      }
    }
  }
}
