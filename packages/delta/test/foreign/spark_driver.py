"""Apache Spark with Delta Lake, driven over stdin and stdout: `spark_driver.py <jar,jar,…> <classes> <scratch directory>`."""

import os
import sys

from driver import claim_stdout, serve

ANSWERS = claim_stdout()
JARS, CLASSES, SCRATCH = sys.argv[1:4]
os.environ["TZ"] = "UTC"

import pyspark  # noqa: E402
from arrow_rows import to_rows, to_table  # noqa: E402
from delta.tables import DeltaTable  # noqa: E402
from pyspark.sql import SparkSession, functions  # noqa: E402
from pyspark.sql.types import StructType, VariantType  # noqa: E402

SETTINGS = {
    "spark.jars": JARS,
    "spark.driver.extraClassPath": os.pathsep.join([CLASSES, *JARS.split(",")]) if CLASSES else "",
    "spark.driver.memory": "1g",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.warehouse.dir": SCRATCH,
    "spark.local.dir": SCRATCH,
    "spark.ui.showConsoleProgress": "false",
    # Tables are tiny: what costs time is starting tasks and compiling plans.
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.timezone=UTC",
    "spark.databricks.delta.retentionDurationCheck.enabled": "false",
    # Whatever a checksum says must be true, or Spark refuses the table.
    "spark.databricks.delta.checksum.verify.enabled": "true",
    "spark.databricks.delta.state.corruptionIsFatal": "true",
}

builder = SparkSession.builder.master("local[2]").appName("foreign")
for name, value in SETTINGS.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()


def table(command):
    return DeltaTable.forPath(spark, command["path"])


def named(command):
    return f"delta.`{command['path']}`"


def frame(command):
    """The rows of a command, with the schema that it names."""
    struct = StructType.fromJson(command["schema"])
    arrow = to_table(command["rows"], command["schema"])
    return spark.createDataFrame(arrow, struct).coalesce(1)


def rows_of(data):
    """Variants come as their JSON."""
    fields = [(functions.col("`" + each.name.replace("`", "``") + "`"), each) for each in data.schema.fields]
    columns = [
        functions.to_json(column).alias(each.name) if isinstance(each.dataType, VariantType) else column
        for column, each in fields
    ]
    return to_rows(data.select(columns).toArrow())


def read(command):
    reader = spark.read.format("delta")
    if command.get("version") is not None:
        reader = reader.option("versionAsOf", command["version"])
    return rows_of(reader.load(command["path"]))


def create(command):
    builder = DeltaTable.create(spark).location(command["path"]).addColumns(StructType.fromJson(command["schema"]))
    if command.get("partitionColumns"):
        builder = builder.partitionedBy(*command["partitionColumns"])
    for name, value in command.get("properties", {}).items():
        builder = builder.property(name, value)
    builder.execute()


def append(command):
    writer = frame(command).write.format("delta").mode("append")
    if command.get("mergeSchema"):
        writer = writer.option("mergeSchema", "true")
    writer.save(command["path"])


def overwrite(command):
    writer = frame(command).write.format("delta").mode("overwrite")
    if command.get("where") is not None:
        writer = writer.option("replaceWhere", command["where"])
    writer.save(command["path"])


def sql(command):
    """Rows of the last statement; `{t}` stands for the table."""
    result = None
    for statement in command["statements"]:
        result = spark.sql(statement.replace("{t}", named(command) if "path" in command else ""))
    return rows_of(result) if result is not None and len(result.schema.fields) > 0 else []


def merge(command):
    frame(command).createOrReplaceTempView("source")
    deletes = command.get("deleteWhen")
    delete = f"WHEN MATCHED AND {deletes} THEN DELETE" if deletes else ""
    spark.sql(
        f"MERGE INTO {named(command)} AS target USING source ON {command['on']} {delete}"
        " WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )


def update(command):
    sets = ", ".join(f"{column} = {value}" for column, value in command["set"].items())
    spark.sql(f"UPDATE {named(command)} AS target SET {sets} WHERE {command['where']}")


def optimize(command):
    builder = table(command).optimize()
    if command.get("zOrderBy"):
        builder.executeZOrderBy(*command["zOrderBy"])
    else:
        builder.executeCompaction()


def changes(command):
    reader = spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", command["from"])
    if command.get("to") is not None:
        reader = reader.option("endingVersion", command["to"])
    return rows_of(reader.load(command["path"]).drop("_commit_timestamp"))


def log_of(command):
    """Delta's own object for the table's log."""
    return spark._jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, command["path"])


def newest(command):
    """Delta's own object for the newest snapshot."""
    none = spark._jvm.scala.Option.empty()
    return log_of(command).update(False, none, none)


def checkpoint(command):
    log_of(command).checkpoint(newest(command), spark._jvm.scala.Option.empty())


def clean_up(command):
    """Deletes what of the log has expired."""
    log = log_of(command)
    log.doLogCleanup(newest(command), spark._jvm.scala.Option.empty())


def facts(command):
    snapshot = newest(command)
    return {"version": snapshot.version(), "files": snapshot.numOfFiles(), "bytes": snapshot.sizeInBytes()}


def validate(command):
    """Reads the newest snapshot afresh and holds it against its checksum; throws what Spark finds wrong."""
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
    snapshot = newest(command)
    has_checksum = snapshot.checksumOpt().isDefined()
    valid = snapshot.validateChecksum(getattr(snapshot, "validateChecksum$default$1")())
    return {"version": snapshot.version(), "checksum": has_checksum, "valid": valid}


def commit_times(command):
    """Version and time in milliseconds of each commit, the newest first."""
    history = table(command).history().selectExpr("version", "unix_millis(timestamp) AS ms").collect()
    return [[each["version"], each["ms"]] for each in history]


def clustering(command):
    return list(table(command).detail().collect()[0]["clusteringColumns"])


def domains(command):
    """The configuration of each domain of users."""
    found = newest(command).domainMetadata()
    each = [found.apply(at) for at in range(found.size())]
    return {one.domain(): one.configuration() for one in each if not one.domain().startswith("delta.")}


def append_many(command):
    """Appends one row a commit."""
    for at in range(command["count"]):
        append({**command, "rows": [{"writer": command["writer"], "n": str(at)}]})


def update_many(command):
    """Adds one to the value of a row, a commit each, again after conflicts; gives how many conflicts there were."""
    done = 0
    conflicts = 0
    while done < command["count"]:
        try:
            update({**command, "set": {"value": "value + 1"}})
            done += 1
        except Exception as error:  # pylint: disable=broad-except
            if "DELTA_CONCURRENT" not in str(error):
                raise
            conflicts += 1
    return conflicts


def use_log_store(command):
    """The class that puts commits on local disks from now on; null for Delta's own."""
    configuration = spark._jvm.org.apache.spark.SparkEnv.get().conf()
    name = "spark.delta.logStore.file.impl"
    if command["class"] is None:
        configuration.remove(name)
    else:
        configuration.set(name, command["class"])
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


serve(
    ANSWERS,
    {"spark": pyspark.__version__, "java": spark._jvm.java.lang.System.getProperty("java.version")},
    {
        "read": read,
        "create": create,
        "append": append,
        "overwrite": overwrite,
        "sql": sql,
        "delete": lambda command: spark.sql(f"DELETE FROM {named(command)} AS target WHERE {command['where']}") and None,
        "update": update,
        "merge": merge,
        "optimize": optimize,
        "vacuum": lambda command: spark.sql(f"VACUUM {named(command)} RETAIN 0 HOURS") and None,
        "checkpoint": checkpoint,
        "cleanUp": clean_up,
        "changes": changes,
        "facts": facts,
        "validate": validate,
        "commitTimes": commit_times,
        "clustering": clustering,
        "domains": domains,
        "forget": lambda command: spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache(),
        "appendMany": append_many,
        "updateMany": update_many,
        "useLogStore": use_log_store,
    },
)
