"""Reads models exported by PaddleDetection's `tools/export_model.py`: `infer_cfg.yml`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.tasks import DETECT
from vision.exports.architectures import PICODET, SOLO, check_detector
from vision.exports.exported import ExportedModel
from vision.exports.files import export_name, find_graph, read_yaml
from vision.exports.keypoint import KEYPOINT_ARCHS, read_keypoint
from vision.exports.labels import checked_labels
from vision.ops.op_list import parse_ops
from vision.outputs.picodet import PicoDecoder


def read_detection(path: Path) -> ExportedModel:
    """Read an `infer_cfg.yml`.

    Raises:
        UsageError: A part of it, or a file beside it, is missing or unusable, or this version can't
            run the model.
    """
    config = read_yaml(path)
    arch = config.get("arch")
    if not isinstance(arch, str):
        raise UsageError(f"{path} does not name an arch")
    if arch in KEYPOINT_ARCHS:
        return read_keypoint(path, config, arch)
    check_detector(arch, path)
    labels, steps = config.get("label_list"), config.get("Preprocess")
    if not isinstance(labels, list) or not labels:
        raise UsageError(
            f"label_list in {path} is empty", hint="list the names of the model's classes there"
        )
    if not isinstance(steps, list):
        raise UsageError(f"{path} has no list Preprocess")
    if arch == PICODET:
        PicoDecoder.of(config)
    model_file, params_file = find_graph(path.parent)
    return ExportedModel(
        name=export_name(config, path.parent),
        task=DETECT,
        arch=arch,
        labels=checked_labels(labels, "label_list", path),
        ops=parse_ops(steps),
        config_file=path,
        model_file=model_file,
        params_file=params_file,
        config=config,
        threshold=_draw_threshold(config, path),
        # Their post-processing is written for one image: in a batch, images would get others' rows.
        largest_batch=1 if config.get("mask") or arch in {PICODET, SOLO} else None,
    )


def gives_masks(export: ExportedModel) -> bool:
    """Return whether a detector gives objects masks."""
    return export.arch == SOLO or (export.arch != PICODET and bool(export.config.get("mask")))


def _draw_threshold(config: Mapping[str, Any], path: Path) -> float:
    value = config.get("draw_threshold", 0.5)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UsageError(f"draw_threshold in {path} must be between 0 and 1, not {value!r}")
    return float(value)
