"""Apache Spark with Delta Lake, driven over stdin and stdout: `spark_driver.py <jar,jar,…> <log file>`."""

import json
import os
import sys

from driver import claim_stdout, serve

ANSWERS = claim_stdout()
JARS, SCRATCH = sys.argv[1:3]
os.environ["TZ"] = "UTC"

import pyspark  # noqa: E402
from arrow_rows import to_rows, to_table  # noqa: E402
from delta.tables import DeltaTable  # noqa: E402
from pyspark.sql import SparkSession, functions  # noqa: E402
from pyspark.sql.types import StructType, VariantType  # noqa: E402

SETTINGS = {
    "spark.jars": JARS,
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
    "spark.sql.codegen.wholeStage": "false",
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
    columns = [
        functions.to_json(functions.col(f"`{each.name}`")).alias(each.name)
        if isinstance(each.dataType, VariantType)
        else functions.col(f"`{each.name}`")
        for each in data.schema.fields
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
    """Delta's own object for the table's log, as it knows it now."""
    log = spark._jvm.org.apache.spark.sql.delta.DeltaLog
    return log.forTable(spark._jsparkSession, command["path"])


def checkpoint(command):
    log = log_of(command)
    log.checkpoint(log.update(False, spark._jvm.scala.Option.empty(), spark._jvm.scala.Option.empty()))


def clean_up(command):
    """Deletes what of the log has expired."""
    log = log_of(command)
    snapshot = log.update(False, spark._jvm.scala.Option.empty(), spark._jvm.scala.Option.empty())
    log.cleanUpExpiredLogs(snapshot, getattr(log, "cleanUpExpiredLogs$default$2")(), spark._jvm.scala.Option.empty())


def facts(command):
    detail = table(command).detail().collect()[0].asDict()
    history = [each["version"] for each in table(command).history().select("version").collect()]
    return {
        "version": history[0],
        "history": history,
        "files": detail["numFiles"],
        "bytes": detail["sizeInBytes"],
        "features": detail["tableFeatures"],
        "properties": detail["properties"],
    }


def validate(command):
    """Reads the newest snapshot afresh and holds it against its checksum; throws what Spark finds wrong."""
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
    log = log_of(command)
    snapshot = log.unsafeVolatileSnapshot()
    has_checksum = snapshot.checksumOpt().isDefined()
    snapshot.validateChecksum(spark._jvm.PythonUtils.toScalaMap({}))
    return {"version": snapshot.version(), "checksum": has_checksum}


def append_many(command):
    """Appends one row a commit; gives the conflicts that Spark reported."""
    failures = []
    for at in range(command["count"]):
        try:
            append({**command, "rows": [{"writer": command["writer"], "n": str(at)}]})
        except Exception as error:  # pylint: disable=broad-except
            failures.append({"n": at, "message": str(error)[:500]})
    return failures


def merge_many(command):
    """Adds one to a counter a commit, again after conflicts; gives how many were made."""
    done = 0
    conflicts = 0
    while done < command["count"]:
        try:
            spark.sql(f"UPDATE {named(command)} SET value = value + 1 WHERE id = {command['row']}")
            done += 1
        except Exception as error:  # pylint: disable=broad-except
            if "Concurrent" not in str(error) and "CONCURRENT" not in str(error):
                raise
            conflicts += 1
    return {"done": done, "conflicts": conflicts}


def put_many(command):
    """Puts a run of files as Spark's log store puts commits; gives those that it says it wrote."""
    log = log_of(command)
    jvm = spark._jvm
    won = []
    for at in range(command["from"], command["to"]):
        lines = jvm.java.util.ArrayList()
        lines.add(json.dumps({"writer": "spark", "at": at}))
        path = jvm.org.apache.hadoop.fs.Path(f"{command['directory']}/{at}.json")
        try:
            jvm.foreign.Put.write(log.store(), path, lines, log.newDeltaHadoopConf())
            won.append(at)
        except Exception as error:  # pylint: disable=broad-except
            if "FileAlreadyExists" not in str(error):
                raise
    return won


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
        "appendMany": append_many,
        "updateMany": merge_many,
        "putMany": put_many,
    },
)
