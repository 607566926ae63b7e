"""Reads keypoint models exported by PaddleDetection's `tools/export_model.py`: `infer_cfg.yml`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.tasks import KEYPOINT
from vision.exports.exported import ExportedModel
from vision.exports.files import export_name, find_graph
from vision.ops.detection import Op
from vision.ops.keypoint import EvalAffine, TopDownEvalAffine
from vision.ops.op_list import parse_ops

TOP_DOWN, BOTTOM_UP = "HRNet", "HigherHRNet"
KEYPOINT_ARCHS = frozenset({TOP_DOWN, BOTTOM_UP})


def read_keypoint(path: Path, config: Mapping[str, Any], arch: str) -> ExportedModel:
    """Read the settings in an `infer_cfg.yml` whose `arch` is one of `KEYPOINT_ARCHS`.

    HRNet, Lite-HRNet and TinyPose are all called HRNet there. The first of `ops` is a
    `TopDownEvalAffine` for these and an `EvalAffine` for HigherHRNet.

    Raises:
        UsageError: A part of it, or a file beside it, is missing or unusable.
    """
    steps = config.get("Preprocess")
    if not isinstance(steps, list):
        raise UsageError(f"{path} has no list Preprocess")
    model_file, params_file = find_graph(path.parent)
    return ExportedModel(
        name=export_name(config, path.parent),
        task=KEYPOINT,
        arch=arch,
        labels=("person",),
        ops=(_first_op(steps, arch), *parse_ops(steps[1:])),
        config_file=path,
        model_file=model_file,
        params_file=params_file,
        config=config,
        # The export's grouping expects a single picture, and silently mixes those of a batch.
        largest_batch=1 if arch == BOTTOM_UP else None,
    )


def _first_op(steps: list[Any], arch: str) -> Op:
    make: Callable[..., Op] = _top_down if arch == TOP_DOWN else _bottom_up
    name = "TopDownEvalAffine" if arch == TOP_DOWN else "EvalAffine"
    first = steps[0] if steps else None
    if not isinstance(first, Mapping) or first.get("type") != name:
        raise UsageError(f"the preprocessing of a model of arch {arch} begins with {name}")
    try:
        return make(**{str(key): value for key, value in first.items() if key != "type"})
    except (TypeError, ValueError) as error:
        raise UsageError(f"preprocessing step {name} cannot be read: {error}") from error


def _top_down(trainsize: Any, use_udp: bool = False) -> Op:
    width, height = map(int, trainsize)
    return TopDownEvalAffine((width, height), use_udp=bool(use_udp))


def _bottom_up(size: Any, stride: int = 64) -> Op:
    del stride  # the official tools do not use it either
    return EvalAffine(int(size))
