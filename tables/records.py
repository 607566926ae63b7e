"""Rows of any columns as plain values, which JSON, CSV and tables can hold."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any

import pyarrow as pa

_NO_TIME = "<value out of range: "  # what pyarrow says instead of it


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

    32-bit numbers get the fewest digits that identify them. What is no number (NaN, infinity) and
    no time of the years 1 to 9999 is None; times are in ISO 8601, bytes in hex.
    """
    for batch in batches:
        names = unique(batch.schema.names)
        columns = [_plain(column) for column in batch.columns]
        yield from (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def _plain(column: pa.Array) -> list[Any]:
    kind = column.type
    texts, doubles = _replaced(kind, _short_text), _replaced(kind, _double)
    if texts != kind:
        column = column.cast(texts).cast(doubles)
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):  # Python has no such times
        values = _of_times(column)
    if pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return values
    return [_value(value) for value in values]


def _replaced(kind: pa.DataType, new: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """Return a type in which `new` has replaced those that hold no others."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_replaced(field.type, new)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_replaced(kind.value_type, new)))
    if pa.types.is_fixed_size_list(kind):
        inner = kind.value_field.with_type(_replaced(kind.value_type, new))
        return pa.list_(inner, kind.list_size)
    if pa.types.is_map(kind):
        return pa.map_(_replaced(kind.key_type, new), _replaced(kind.item_type, new))
    return new(kind)


def _short_text(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_float32(kind) else kind


def _double(kind: pa.DataType) -> pa.DataType:
    return pa.float64() if pa.types.is_float32(kind) else kind


def _of_times(column: pa.Array) -> list[Any]:
    """Return values among which are times to the nanosecond, or beyond the years of Python's."""
    in_utc = column.cast(_replaced(column.type, _without_zone))
    texts = in_utc.cast(_replaced(in_utc.type, _time_text))
    return [_known(value) for value in texts.to_pylist()]


def _known(value: Any) -> Any:
    """Return a value with None for the times in it that there is no text for."""
    if isinstance(value, dict):
        return {key: _known(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_known(one) for one in value]
    return None if isinstance(value, str) and value.startswith(_NO_TIME) else value


def _without_zone(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp(kind.unit) if pa.types.is_timestamp(kind) else kind


def _time_text(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_timestamp(kind) or _is_time_or_date(kind) else kind


def _is_time_or_date(kind: pa.DataType) -> bool:
    return bool(pa.types.is_time(kind) or pa.types.is_date(kind))


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
