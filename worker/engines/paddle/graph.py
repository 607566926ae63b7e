"""Reads a graph's operators from its file without loading the network.

It reads `model.json` (Paddle 3, the new IR) and `model.pdmodel` (Paddle 2, the old) alike.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.errors import FatalError
from vision.exports.graph_version import LARGEST_GRAPH
from worker.engines.paddle.vendor import paddle

Shape = tuple[int, ...]
"""The sides of a tensor; -1 for a side known only at run time."""


@dataclasses.dataclass(frozen=True, slots=True)
class Operator:
    """One operator of a graph.

    `kind` is its name in Paddle 3, `type` its name in the file. Optional inputs are in `inputs`
    only if they are present; a shape that the file doesn't state is None.
    """

    type: str
    kind: str
    attributes: Mapping[str, Any]
    inputs: tuple[Shape | None, ...]
    output: Shape | None


def read_graph(model_file: Path) -> list[Operator]:
    """Return the operators of a graph, including those in loops and branches.

    Raises:
        FatalError: the file is damaged or in neither format.
    """
    try:
        if model_file.suffix == ".json":
            return _of_json(json.loads(_content(model_file)))
        return list(_of_program(_content(model_file)))
    except (AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise FatalError(
            f"{model_file} holds no readable graph",
            hint="a damaged download, or an export by a newer Paddle: export it again",
        ) from error


def _content(model_file: Path) -> bytes:
    with model_file.open("rb") as file:
        content = file.read(LARGEST_GRAPH + 1)
    if len(content) > LARGEST_GRAPH:
        raise ValueError(f"it has more than {LARGEST_GRAPH:,} bytes")
    return content


_ABSENT = 0  # the number that stands for a missing optional input


def _of_json(data: dict[str, Any]) -> list[Operator]:
    """Return the new IR's operators: `#` is a type, `%` a value's number, `TT` the value's type."""
    shapes: dict[int, Shape | None] = {}
    numbers: dict[int, Any] = {}
    found = []
    for entry in _walk(data["program"]):
        outputs = entry.get("O", [])
        outputs = outputs if isinstance(outputs, list) else [outputs]
        shapes.update((value["%"], _shape(value["TT"])) for value in outputs)
        name = entry["#"].rpartition(".")[2].removesuffix("_")
        if name == "p":  # a parameter, which has a notation of its own
            continue
        attributes = {each["N"]: _plain(each["AT"]) for each in entry.get("A", ())}
        inputs = [value["%"] for value in entry.get("I", ()) if value["%"] != _ABSENT]
        if name == "full_int_array":
            numbers[outputs[0]["%"]] = attributes["value"]
        if name == "pool2d":  # an input here where the old IR has an attribute
            attributes["kernel_size"] = numbers.get(inputs[1])
        first = shapes[outputs[0]["%"]] if outputs else None
        found.append(
            Operator(name, name, attributes, tuple(shapes.get(value) for value in inputs), first)
        )
    return found


def _walk(holder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for region in holder.get("regions", ()):
        for block in region["blocks"]:
            for entry in block["ops"]:
                yield entry
                yield from _walk(entry)


def _shape(kind: dict[str, Any]) -> Shape | None:
    """Return a dense tensor's shape; its type lists element type, sides, layout and more."""
    return tuple(kind["D"][1]) if kind.get("#", "").endswith("t_dtensor") else None


def _plain(attribute: dict[str, Any]) -> Any:
    value = attribute.get("D")
    if attribute.get("#", "").endswith("a_array"):
        return [_plain(each) for each in value or ()]
    return value


_RENAMED = {
    "nearest_interp_v2": "nearest_interp",
    "bilinear_interp_v2": "bilinear_interp",
    "nearest_interp": "legacy_nearest_interp",
    "bilinear_interp": "legacy_bilinear_interp",
    "elementwise_div": "divide",
}
# Only the attributes that are needed: old programs keep call stacks, too.
_ATTRIBUTES = {
    "align_corners": "align_corners",
    "align_mode": "align_mode",
    "axis": "axis",
    "beta": "beta",
    "ceil_mode": "ceil_mode",
    "data_layout": "data_format",
    "exclusive": "exclusive",
    "ksize": "kernel_size",
    "adaptive": "adaptive",
    "global_pooling": "global_pooling",
    "padding_algorithm": "padding_algorithm",
    "paddings": "paddings",
    "pooling_type": "pooling_type",
    "scale": "scale",
    "strides": "strides",
    "threshold": "threshold",
}
_INPUTS = ("X", "Y", "OutSize", "SizeTensor", "Scale")


def _of_program(data: bytes) -> Iterator[Operator]:
    """Yield the old IR's operators; their values are named and declared in the block."""
    program = paddle.base.core.ProgramDesc(data)
    for block in map(program.block, range(program.num_blocks())):
        for operator in map(block.op, range(block.op_size())):
            kind = _RENAMED.get(operator.type(), operator.type())
            there = set(operator.input_names())
            inputs = [name for each in _INPUTS if each in there for name in operator.input(each)]
            outputs = operator.output("Out") if "Out" in operator.output_names() else []
            yield Operator(
                operator.type(),
                kind,
                {
                    new: operator.attr(old)
                    for old, new in _ATTRIBUTES.items()
                    if operator.has_attr(old)
                },
                tuple(_named(block, name) for name in inputs),
                _named(block, outputs[0]) if outputs else None,
            )


def _named(block: Any, name: str) -> Shape | None:
    variable = block.find_var_recursive(name.encode())
    try:
        return tuple(variable.shape())
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return None  # not declared in the block, or not a tensor
