"""Reads text models exported by PaddleOCR and PaddleX: `inference.yml`.

Sources: PaddleX, `paddlex/inference/models/text_detection/predictor.py` and
`text_recognition/predictor.py`; PaddleOCR, `tools/infer/predict_cls.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.tasks import CLASSIFY, TEXT_DET, TEXT_REC
from vision.exports.exported import ExportedModel
from vision.exports.files import export_name, find_graph
from vision.exports.labels import checked_labels
from vision.ops.classification import ScaleAndNormalize, normalization, parse_steps
from vision.ops.detection import Op, Permute
from vision.ops.text import LIMIT_TYPES, FixedSize, LimitSide
from vision.ops.text_line import LineInput, width_buckets
from vision.outputs.db_settings import DETECTOR, DbSettings

_RECOGNIZER, _ORIENTATION = "CTCLabelDecode", "ClsPostProcess"
TASKS = {DETECTOR: TEXT_DET, _RECOGNIZER: TEXT_REC, _ORIENTATION: CLASSIFY}
"""The task of a model with a `PostProcess` of that name."""

_ARCHS = {DETECTOR: "DB", _RECOGNIZER: "CTC", _ORIENTATION: "PaddleOCR"}
_BLANK, _SPACE = "", " "


def is_for_text(config: Mapping[str, Any]) -> bool:
    """Return whether an `inference.yml` belongs to a text model."""
    post = config.get("PostProcess")
    return isinstance(post, dict) and str(post.get("name")) in TASKS


def read_text(path: Path, config: Mapping[str, Any]) -> ExportedModel:
    """Read the `inference.yml` of a DB text detector, CTC recognizer or line orientation model.

    `config` is the content of the file. A recognizer's labels are those of its classes: nothing for
    the blank, then the dictionary, then a space.

    Raises:
        UsageError: A part of it, or a file beside it, is missing or unusable.
    """
    post = config["PostProcess"]
    kind = post["name"]
    model_file, params_file = find_graph(path.parent)
    return ExportedModel(
        name=export_name(config, path.parent),
        task=TASKS[kind],
        arch=_ARCHS[kind],
        labels=_labels(post, path),
        ops=_ops(config, kind, path),
        config_file=path,
        model_file=model_file,
        params_file=params_file,
        config=config,
        threshold=DbSettings.of(config).box_thresh if kind == DETECTOR else 0.0,
        most_classes=1 if kind == _ORIENTATION else None,
    )


def _labels(post: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    kind = post["name"]
    if kind == DETECTOR:
        return ("text",)
    key = "character_dict" if kind == _RECOGNIZER else "label_list"
    entries = post.get(key)
    if not isinstance(entries, Sequence) or isinstance(entries, str) or not entries:
        raise UsageError(
            f"PostProcess.{key} in {path} is empty",
            hint="list what the model's classes stand for there, in the order used in training",
        )
    names = checked_labels(entries, f"PostProcess.{key}", path)
    return (_BLANK, *names, _SPACE) if kind == _RECOGNIZER else names


def _ops(config: Mapping[str, Any], kind: str, path: Path) -> tuple[Op, ...]:
    section = config.get("PreProcess")
    entries = section.get("transform_ops") if isinstance(section, dict) else None
    if not isinstance(entries, list):
        raise UsageError(f"{path} has no list PreProcess.transform_ops")
    ops = parse_steps(entries, _STEPS)
    if kind == DETECTOR:
        scaled = bool(ops) and isinstance(ops[0], LimitSide | FixedSize)
        if not scaled or [type(op) for op in ops[1:]] != [ScaleAndNormalize, Permute]:
            raise UsageError(
                f"{path} must prepare pictures with DetResizeForTest, NormalizeImage, ToCHWImage"
            )
    elif [type(op) for op in ops] != [LineInput]:
        step = "RecResizeImg" if kind == _RECOGNIZER else "ClsResizeImg"
        raise UsageError(f"{path} must prepare lines with {step} alone")
    return ops


def _decode(img_mode: str = "BGR", channel_first: bool = False, **_: Any) -> None:
    if img_mode != "BGR" or channel_first:
        raise ValueError("only BGR with the channels last is supported")


def _detector_size(
    limit_side_len: int | None = None,
    limit_type: str | None = None,
    resize_long: int | None = None,
    image_shape: Sequence[int] | None = None,
    keep_ratio: bool = False,
) -> Op:
    """Return the detector's resizing, with the defaults of PaddleOCR and PaddleX.

    PaddleX takes `resize_long` as a limit of the long side, whatever the training did.
    """
    if image_shape is not None:
        height, width = (_positive(side) for side in image_shape)
        return FixedSize((height, width), keep_ratio=keep_ratio)
    if limit_side_len is None and resize_long is not None:
        side, way = resize_long, limit_type or "max"
    else:
        side, way = limit_side_len or 736, limit_type or "min"
    if way not in LIMIT_TYPES:
        raise ValueError(f"limit_type {way!r} is unknown")
    return LimitSide(_positive(side), way)


def _line_shape(image_shape: Sequence[int]) -> tuple[int, int]:
    channels, height, width = (_positive(side) for side in image_shape)
    if channels != 3:  # noqa: PLR2004
        raise ValueError("only three channels are supported")
    return height, width


def _recognizer_line(
    image_shape: Sequence[int], eval_mode: bool = True, padding: bool = True
) -> Op:
    del eval_mode  # for training's own evaluation
    if not padding:
        raise ValueError("a line must keep its aspect")
    height, width = _line_shape(image_shape)
    return LineInput(height, width_buckets(width))


def _orientation_line(image_shape: Sequence[int]) -> Op:
    height, width = _line_shape(image_shape)
    return LineInput(height, (width,))


def _positive(value: Any) -> int:
    number = int(value)
    if number < 1:
        raise ValueError(f"a size must be positive, not {value!r}")
    return number


def _not_needed(**_: Any) -> None:
    """Ignore a training step that an export still lists."""


_STEPS: dict[str, Callable[..., Op | None]] = {
    "DecodeImage": _decode,
    "DetResizeForTest": _detector_size,
    "RecResizeImg": _recognizer_line,
    "ClsResizeImg": _orientation_line,
    "NormalizeImage": normalization,
    "ToCHWImage": Permute,
    "DetLabelEncode": _not_needed,
    "MultiLabelEncode": _not_needed,
    "CTCLabelEncode": _not_needed,
    "KeepKeys": _not_needed,
}
