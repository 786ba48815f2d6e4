import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.spark.sql.SparkSession;

/** Runs the statements of a file in a local Spark. Prints each row of the last one, its values separated by tabs. */
class RunSql {
  public static void main(String[] args) throws Exception {
    var spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.warehouse.dir", args[1])
            .getOrCreate();
    var statements = Files.readString(Path.of(args[0])).split(";\\s*\n");
    for (int index = 0; index < statements.length - 1; index++) spark.sql(statements[index]);
    for (var row : spark.sql(statements[statements.length - 1]).collectAsList())
      System.out.println("+I\t" + row.mkString("\t"));
    spark.stop();
  }
}
