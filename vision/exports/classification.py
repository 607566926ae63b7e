"""Reads classifiers exported by PaddleClas and PaddleX: `inference.yml`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.tasks import CLASSIFY
from vision.exports.exported import ExportedModel
from vision.exports.files import export_name, find_graph, read_yaml
from vision.exports.labels import checked_labels
from vision.exports.text import TASKS
from vision.ops.classification import parse_transform_ops

_TOP, _MANY = "Topk", "MultiLabelThreshOutput"


def read_classification(path: Path) -> ExportedModel:
    """Read an `inference.yml` of an image classifier.

    Raises:
        UsageError: A part of it, or a file beside it, is missing or unusable, or the model is for a
            different task.
    """
    config = read_yaml(path)
    steps = _section(config, "PreProcess", path).get("transform_ops")
    if not isinstance(steps, list):
        raise UsageError(f"{path} has no list PreProcess.transform_ops")
    post = _section(config, "PostProcess", path)
    kind = next((name for name in (_TOP, _MANY) if isinstance(post.get(name), dict)), None)
    if kind is None:
        what = post.get("name") or ", ".join(map(str, post)) or "nothing"
        raise UsageError(
            f"{path} is not a classifier that this version runs: its PostProcess is {what}",
            hint=f"this version knows {', '.join((_TOP, _MANY, *TASKS))}",
        )
    labels = post[kind].get("label_list")
    if not isinstance(labels, Sequence) or isinstance(labels, str) or not labels:
        raise UsageError(
            f"PostProcess.{kind}.label_list in {path} is empty",
            hint="list the names of the model's classes there",
        )
    model_file, params_file = find_graph(path.parent)
    return ExportedModel(
        name=export_name(config, path.parent),
        task=CLASSIFY,
        arch="PaddleClas",
        labels=checked_labels(labels, f"PostProcess.{kind}.label_list", path),
        ops=parse_transform_ops(steps),
        config_file=path,
        model_file=model_file,
        params_file=params_file,
        config=config,
        threshold=float(post[kind].get("threshold", 0.5)) if kind == _MANY else 0.0,
        most_classes=int(post[kind].get("topk", 1)) if kind == _TOP else None,
    )


def _section(config: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    section = config.get(name)
    if not isinstance(section, dict):
        raise UsageError(f"{path} has no section {name}")
    return section
