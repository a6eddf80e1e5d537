"""delta-rs, driven over stdin and stdout: `delta_rs_driver.py`."""

import json

from driver import claim_stdout, serve

ANSWERS = claim_stdout()

import deltalake  # noqa: E402
import pyarrow as pa  # noqa: E402
from arrow_rows import to_rows, to_table  # noqa: E402
from deltalake import DeltaTable, QueryBuilder, Schema, write_deltalake  # noqa: E402


def opened(command):
    return DeltaTable(command["path"], version=command.get("version"))


def read(command):
    reader = QueryBuilder().register("t", opened(command)).execute("SELECT * FROM t")
    return to_rows(pa.table(reader))


def create(command):
    DeltaTable.create(
        command["path"],
        Schema.from_json(json.dumps(command["schema"])),
        partition_by=command.get("partitionColumns"),
        configuration=command.get("properties"),
    )


def append(command):
    mode = {"schema_mode": "merge"} if command.get("mergeSchema") else {}
    write_deltalake(command["path"], to_table(command["rows"], command["schema"]), mode="append", **mode)


def overwrite(command):
    data = to_table(command["rows"], command["schema"])
    write_deltalake(command["path"], data, mode="overwrite", predicate=command.get("where"))


def merge(command):
    merger = opened(command).merge(
        to_table(command["rows"], command["schema"]),
        command["on"],
        source_alias="source",
        target_alias="target",
    )
    if command.get("deleteWhen"):
        merger = merger.when_matched_delete(command["deleteWhen"])
    merger.when_matched_update_all().when_not_matched_insert_all().execute()


def optimize(command):
    optimizer = opened(command).optimize
    if command.get("zOrderBy"):
        return optimizer.z_order(command["zOrderBy"])
    return optimizer.compact()


def changes(command):
    reader = opened(command).load_cdf(command["from"], command.get("to"))
    data = pa.table(reader).drop_columns("_commit_timestamp")
    at = data.column_names.index("_commit_version")
    # An integer here, a long elsewhere.
    return to_rows(data.set_column(at, "_commit_version", data.column(at).cast(pa.int64())))


def facts(command):
    table = opened(command)
    actions = pa.table(table.get_add_actions(flatten=True))
    return {
        "version": table.version(),
        "files": actions.num_rows,
        "bytes": sum(actions.column("size_bytes").to_pylist()),
    }


def alter(command):
    """One method of `DeltaTable.alter`."""
    return getattr(opened(command).alter, command["method"])(*command["arguments"])


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
            opened(command).update(updates={"value": "value + 1"}, predicate=command["where"])
            done += 1
        except deltalake.exceptions.CommitFailedError:
            conflicts += 1
    return conflicts


serve(
    ANSWERS,
    {"deltalake": deltalake.__version__},
    {
        "read": read,
        "create": create,
        "append": append,
        "overwrite": overwrite,
        "delete": lambda command: opened(command).delete(command["where"]),
        "update": lambda command: opened(command).update(updates=command["set"], predicate=command["where"]),
        "merge": merge,
        "optimize": optimize,
        "vacuum": lambda command: opened(command).vacuum(0, dry_run=False, enforce_retention_duration=False),
        "checkpoint": lambda command: opened(command).create_checkpoint(),
        "cleanUp": lambda command: opened(command).cleanup_metadata(),
        "compactLog": lambda command: opened(command).compact_logs(command["from"], command["to"]),
        "changes": changes,
        "facts": facts,
        "alter": alter,
        "appendMany": append_many,
        "updateMany": update_many,
    },
)
