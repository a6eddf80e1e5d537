"""Seconds that delta-rs takes to merge random rows into a table, as JSON: `merge-speed.py [directory]`.

The table has ROWS rows with ids from 0 in random order; the merge updates CHANGED of them and inserts none. What is
timed is the merge alone, its commit included. Needs the packages `deltalake` and `pyarrow` (see `install.ts`).
"""

import json
import sys
import tempfile
import time

import deltalake
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake

ROWS = 5_000_000
CHANGED = 100_000
FILES = 5
SEED = 1


def shuffled(count):
    """The ids in an order that is the same at each run."""
    return pc.sort_indices(pc.random(count, initializer=SEED))


def table_of(ids):
    ids = ids.cast(pa.int64())
    return pa.table(
        {
            "id": ids,
            "amount": pc.divide(ids.cast(pa.float64()), 7.0),
            "name": pc.binary_join_element_wise("name", ids.cast(pa.string()), "-"),
        }
    )


def measure(directory):
    ids = shuffled(ROWS)
    for at in range(FILES):
        part = ids.slice(at * ROWS // FILES, ROWS // FILES)
        write_deltalake(directory, table_of(part), mode="append")
    source = table_of(shuffled(ROWS).slice(0, CHANGED))
    source = source.set_column(1, "amount", pc.negate(source.column("amount")))
    table = DeltaTable(directory)
    began = time.perf_counter()
    metrics = (
        table.merge(source, "target.id = source.id", source_alias="source", target_alias="target")
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .execute()
    )
    seconds = time.perf_counter() - began
    assert metrics["num_target_rows_updated"] == CHANGED, metrics
    assert metrics["num_target_rows_inserted"] == 0, metrics
    return {"engine": "delta-rs", "version": deltalake.__version__, "rows": ROWS, "changed": CHANGED, "seconds": seconds}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps(measure(scratch)))
