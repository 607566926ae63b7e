"""Rows of any columns as plain values, which JSON, CSV and tables can hold."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def unique(names: Iterable[str]) -> list[str]:
    """Return the names with a number at the end of each that came before."""
    found: list[str] = []
    for name in names:
        number, free = 1, name
        while free in found:
            free, number = f"{name}_{number}", number + 1
        found.append(free)
    return found


def records(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    """Yield each row of the batches, by the `unique` names of their columns.

    32-bit numbers get the fewest digits that identify them. What is no number (NaN, infinity) is
    None; times are in ISO 8601, bytes in hex.
    """
    for batch in batches:
        names = unique(batch.schema.names)
        columns = [_plain(column) for column in batch.columns]
        yield from (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def _plain(column: pa.Array) -> list[Any]:
    kind = column.type
    if pa.types.is_list(kind) and pa.types.is_float32(kind.value_type):
        column = pc.cast(pc.cast(column, pa.list_(pa.string())), pa.list_(pa.float64()))
    elif pa.types.is_float32(kind):
        column = pc.cast(pc.cast(column, pa.string()), pa.float64())
    values: list[Any] = column.to_pylist()
    if pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return values
    return [_value(value) for value in values]


def _value(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {str(_value(key)): _value(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_value(one) for one in value]
    for kind, plain in _PLAIN.items():
        if isinstance(value, kind):
            return plain(value)
    return value


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


_PLAIN: dict[type, Callable[[Any], Any]] = {
    Decimal: _number,
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: str,
    bytes: bytes.hex,
}
