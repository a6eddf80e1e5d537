"""Milliseconds that delta-rs takes to merge a Parquet file into a table, by `id`: `merge_speed.py <table> <file>`.

What is timed is the merge alone, its commit included; the file is in memory before. Needs the packages `deltalake` and
`pyarrow` (see `install.ts`).
"""

import json
import sys
import time

import pyarrow.parquet as pq
from deltalake import DeltaTable


def measure(directory, changes):
    source = pq.read_table(changes)
    table = DeltaTable(directory)
    began = time.perf_counter()
    metrics = (
        table.merge(source, "target.id = source.id", source_alias="source", target_alias="target")
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .execute()
    )
    took = (time.perf_counter() - began) * 1000
    assert metrics["num_source_rows"] == source.num_rows, metrics
    return {"ms": took, "updated": metrics["num_target_rows_updated"]}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2])))
