"""Reads the `Preprocess` list of an `infer_cfg.yml` as operators."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import UsageError
from vision.ops.detection import (
    LetterBoxResize,
    NormalizeImage,
    Op,
    Pad,
    PadStride,
    Permute,
    Resize,
)

_OPS: dict[str, type[Op]] = {
    op.__name__: op for op in (Resize, LetterBoxResize, Pad, NormalizeImage, Permute, PadStride)
}
_PAIRS = {"target_size", "size"}
_COLOURS = {"mean", "std", "fill_value"}
_INTERPOLATIONS = range(5)  # cv2.INTER_NEAREST (0) to cv2.INTER_LANCZOS4


def parse_ops(entries: Sequence[Any]) -> tuple[Op, ...]:
    """Return the operators that a list of mappings (`type` and arguments) describes, in order.

    Raises:
        UsageError: An operator or an argument is unknown or makes no sense, or the order is wrong.
    """
    ops = tuple(_parse_op(entry) for entry in entries)
    layouts = [isinstance(op, Permute) for op in ops]
    if sum(layouts) != 1:
        raise UsageError(
            f"preprocessing needs Permute once, this model has it {sum(layouts)} times"
        )
    turn = layouts.index(True)
    for position, op in enumerate(ops):
        if position != turn and isinstance(op, PadStride) != (position > turn):
            place = "before" if position < turn else "after"
            raise UsageError(f"preprocessing cannot have {type(op).__name__} {place} Permute")
    return ops


def _parse_op(entry: Any) -> Op:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str):
        raise UsageError(f"a preprocessing step must be a mapping with a type, not {entry!r}")
    name = entry["type"]
    op = _OPS.get(name)
    if op is None:
        raise UsageError(
            f"the model's preprocessing step {name!r} is unknown",
            hint=f"this version knows {', '.join(_OPS)}",
        )
    known = {field.name for field in dataclasses.fields(op)}  # type: ignore[arg-type]
    arguments = {key: value for key, value in entry.items() if key != "type"}
    if unknown := sorted(set(map(str, arguments)) - known):
        raise UsageError(f"preprocessing step {name} has an unknown argument {unknown[0]!r}")
    try:
        return op(**{key: _read(key, value) for key, value in arguments.items()})
    except (TypeError, ValueError) as error:
        raise UsageError(f"preprocessing step {name} cannot be read: {error}") from error


def _read(key: str, value: Any) -> Any:
    if key in _PAIRS:
        pair = (value, value) if isinstance(value, int) else tuple(map(int, value))
        if len(pair) != 2 or min(pair) < 1:  # noqa: PLR2004
            raise ValueError(f"{key} must be a positive size or two of them, not {value!r}")
        return pair
    if key in _COLOURS:
        colour = tuple(map(float, value))
        if len(colour) != 3 or (key == "std" and not all(colour)):  # noqa: PLR2004
            raise ValueError(f"{key} must be three numbers (std without 0), not {value!r}")
        return colour
    if key == "interp" and value not in _INTERPOLATIONS:
        raise ValueError(f"interp must be one of cv2's interpolations 0 to 4, not {value!r}")
    if key == "stride":
        return int(value)
    return value
