"""A model's card: what people may want to know about it, and doubts about its outputs."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import UsageError
from core.export_facts import ExportFacts
from core.options import ModelRef
from core.tasks import CLASSIFY, DETECT, SEGMENT, TEXT_REC
from vision.exports.architectures import PICODET, SOLO
from vision.exports.exported import ExportedModel
from vision.exports.facts import facts_of
from vision.exports.graph_version import graph_version
from vision.exports.licence import stated_licence
from vision.ops.preprocess import Preprocessor

Tried = Mapping[str, Any]
"""The result of running a network once; see `worker.smoke`."""

_SCORES = 4  # dimensions of a segmentation's scores, [B,classes,H,W]


def model_card(export: ExportedModel, source: str, tried: Tried | None) -> dict[str, Any]:
    """Return what is kept about a model besides its name, task, digest and place.

    `source` is where it came from. What only running it reveals is None if it was not tried.
    """
    shape = Preprocessor(export.ops).fixed_shape
    return {
        "export_name": export.name,
        "arch": export.arch,
        "labels": list(export.labels),
        "threshold": export.threshold,
        "input_shape": None if shape is None else list(shape),
        "files": [file.name for file in export.files],
        "facts": noted_facts({"": facts_of(export)}),
        "source": source,
        "licence": stated_licence(export.config_file.parent),
        "export_version": graph_version(export.model_file),
        "checked_with": None if tried is None else tried["engine"],
        "inputs": None if tried is None else tried["inputs"],
        "outputs": None if tried is None else tried["outputs"],
        "milliseconds": None if tried is None else tried["milliseconds"],
        "comparison": None if tried is None else _comparison(tried),
        "doubts": [] if tried is None else [*tried["warnings"], *doubts(export, tried["outputs"])],
    }


def _comparison(tried: Tried) -> dict[str, Any]:
    """Return which way of which engine was found to be right, and by which figures."""
    return {
        "engine": tried["offer"],
        "way": tried["way"],
        "why": tried["why"],
        **tried["comparison"],
    }


def composed_card(ref: ModelRef, facts: Mapping[str, ExportFacts], source: str) -> dict[str, Any]:
    """Return the card of a composed model: its parts, as jobs refer to them, and their facts."""
    data = ref.to_json()
    return {
        "export_name": None,
        "arch": "+".join(ref.parts),
        "labels": [],
        "facts": noted_facts(facts),
        "source": source,
        "parts": data["parts"],
        "settings": data["settings"],
    }


def noted_facts(facts: Mapping[str, ExportFacts]) -> dict[str, Any]:
    """Return facts by role as a card has them; the labels of a model alone stand beside them."""
    said = {role: one.to_json() for role, one in facts.items()}
    if "" in said:
        del said[""]["labels"]
    return said


def doubts(export: ExportedModel, outputs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what is odd about the outputs of an export but stops no job.

    Raises:
        UsageError: every job would fail: no model for this task has such outputs, or the class
            list does not fit them.
    """
    if export.task == CLASSIFY:
        _check_classes(export, outputs)
    elif export.task == TEXT_REC:
        _check_characters(export, outputs)
    elif export.task == DETECT and export.arch not in {PICODET, SOLO}:
        _check_rows(outputs)
    elif export.task == SEGMENT and export.labels and outputs:
        shape = outputs[0]["shape"]
        if len(shape) == _SCORES and shape[1] > len(export.labels):
            named = len(export.labels)
            return [f"label_list names {named} of {shape[1]} classes: the rest are only numbers"]
    return []


def _check_classes(export: ExportedModel, outputs: Sequence[Mapping[str, Any]]) -> None:
    shape = outputs[0]["shape"] if outputs else []
    if shape == [1, len(export.labels)]:
        return
    if len(shape) == 2:  # noqa: PLR2004 - pictures and classes
        short = "too short" if len(export.labels) < shape[1] else "too long"
        raise UsageError(
            f"the class list of {export.config_file} is {short}: it names {len(export.labels)} "
            f"classes, but the network scores {shape[1]}",
            hint="label_list has to name each of the model's classes, in their order",
        )
    raise UsageError(
        f"the network gives {_described(outputs)}; a classifier gives a score for each class",
        hint="export the model with the head and the post-processing of its Paddle tool",
    )


def _check_characters(export: ExportedModel, outputs: Sequence[Mapping[str, Any]]) -> None:
    shape = outputs[0]["shape"] if outputs else []
    if len(shape) != 3 or shape[2] != len(export.labels):  # noqa: PLR2004 - line, step, class
        raise UsageError(
            f"the network gives {_described(outputs)}; the dictionary of {export.config_file} has "
            f"{len(export.labels)} characters, with the blank and the space",
            hint="character_dict has to list each of the model's characters, in their order",
        )


def _check_rows(outputs: Sequence[Mapping[str, Any]]) -> None:
    if outputs and outputs[0]["shape"][1:] == [6] and outputs[0]["dtype"].startswith("float"):
        return
    raise UsageError(
        f"the network gives {_described(outputs)}; a detector gives rows of class, score, "
        "x1, y1, x2, y2",
        hint="export it with its post-processing: -o export.post_process=True export.nms=True",
    )


def _described(outputs: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{each['dtype']} {each['shape']}" for each in outputs) or "nothing"
