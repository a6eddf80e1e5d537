"""Rows between JSON and Arrow, exactly.

A row travels as an object by column. Values: null, booleans and strings as they are; byte, short and integer as numbers;
long and decimal as text with all digits; float and double as numbers, or "NaN", "Infinity", "-Infinity", "-0.0"; binary
as "0x" and hexadecimal digits; date as YYYY-MM-DD; both timestamps as text of the microseconds since 1970; struct as an
object, array as a list, map as a list of [key, value], ordered by the key's JSON.
"""

import datetime
import decimal
import json
import math

import pyarrow as pa


def arrow_schema(delta):
    """The Arrow schema of a Delta schema, given as the object of its JSON."""
    return pa.schema([_field(each) for each in delta["fields"]])


def to_table(rows, delta):
    """An Arrow table of rows; columns that a row lacks are null."""
    schema = arrow_schema(delta)
    columns = [
        pa.array([_decode(row.get(each["name"]), each["type"]) for row in rows], type=field.type)
        for each, field in zip(delta["fields"], schema)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def to_rows(table):
    """The rows of an Arrow table."""
    names = table.column_names
    columns = [_encode(table.column(at)) for at in range(len(names))]
    return [dict(zip(names, values)) for values in zip(*columns)] if names else []


_PRIMITIVE = {
    "string": pa.string(),
    "long": pa.int64(),
    "integer": pa.int32(),
    "short": pa.int16(),
    "byte": pa.int8(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "timestamp_ntz": pa.timestamp("us"),
}


def _type(delta):
    if isinstance(delta, str):
        if delta.startswith("decimal("):
            precision, scale = delta[len("decimal(") : -1].split(",")
            return pa.decimal128(int(precision), int(scale))
        return _PRIMITIVE[delta]
    if delta["type"] == "struct":
        return pa.struct([_field(each) for each in delta["fields"]])
    if delta["type"] == "array":
        return pa.list_(pa.field("element", _type(delta["elementType"]), delta["containsNull"]))
    value = pa.field("value", _type(delta["valueType"]), delta["valueContainsNull"])
    return pa.map_(pa.field("key", _type(delta["keyType"]), False), value)


def _field(delta):
    return pa.field(delta["name"], _type(delta["type"]), delta["nullable"])


def _decode(value, delta):
    if value is None:
        return None
    if isinstance(delta, str):
        if delta.startswith("decimal("):
            return decimal.Decimal(value)
        if delta == "long" or delta.startswith("timestamp"):
            return int(value)
        if delta in ("float", "double"):
            return float(value)
        if delta == "binary":
            return bytes.fromhex(value[2:])
        return datetime.date.fromisoformat(value) if delta == "date" else value
    if delta["type"] == "struct":
        return {each["name"]: _decode(value.get(each["name"]), each["type"]) for each in delta["fields"]}
    if delta["type"] == "array":
        return [_decode(each, delta["elementType"]) for each in value]
    return [(_decode(key, delta["keyType"]), _decode(item, delta["valueType"])) for key, item in value]


def _encode(array):
    """The values of an Arrow array."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # An empty one stays as it is.
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], type=array.type)
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _encode(array.dictionary_decode())
    if pa.types.is_struct(kind):
        names = [kind.field(at).name for at in range(kind.num_fields)]
        members = [_encode(array.field(at)) for at in range(kind.num_fields)]
        valid = array.is_valid().to_pylist()
        return [
            {name: values[at] for name, values in zip(names, members)} if valid[at] else None
            for at in range(len(array))
        ]
    if pa.types.is_map(kind):
        return [_pairs(each) for each in _parts(array, list(zip(_encode(array.keys), _encode(array.items))))]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return list(_parts(array, _encode(array.values)))
    return [_scalar(each, kind) for each in _plain(array)]


def _plain(array):
    kind = array.type
    if pa.types.is_timestamp(kind):
        return array.cast(pa.timestamp("us", tz=kind.tz)).cast(pa.int64()).to_pylist()
    return array.to_pylist()


def _parts(array, values):
    offsets = array.offsets.to_pylist()
    for at, valid in enumerate(array.is_valid().to_pylist()):
        yield values[offsets[at] : offsets[at + 1]] if valid else None


def _pairs(pairs):
    if pairs is None:
        return None
    return sorted([list(each) for each in pairs], key=lambda pair: json.dumps(pair[0]))


def _scalar(value, kind):
    if value is None:
        return None
    if pa.types.is_int64(kind) or pa.types.is_timestamp(kind):
        return str(value)
    if pa.types.is_decimal(kind):
        return format(value, "f")
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return "-0.0" if value == 0 and math.copysign(1, value) < 0 else value
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return value.isoformat() if isinstance(value, datetime.date) else value
