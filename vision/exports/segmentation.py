"""Reads models exported by PaddleSeg's scripts: `deploy.yaml`.

There are three scripts: one for semantic segmentation, `Matting/tools/export.py` and
`contrib/PanopticSeg/tools/export.py`. None names its task, but only matting has a `ModelName` and
loads pictures by a transform, and only panoptic segmentation ends its transforms with `Collect`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.tasks import MATTING, PANOPTIC, SEGMENT
from vision.exports.exported import ExportedModel
from vision.exports.files import export_name, find_graph, read_yaml
from vision.exports.labels import checked_labels
from vision.ops.detection import Op
from vision.ops.matting import LOADING, parse_matting
from vision.ops.segmentation import COLLECTING, parse_panoptic, parse_transforms

_MORE_INPUTS = {"DIM": "a trimap", "RVM": "the picture before it"}


def read_segmentation(path: Path) -> ExportedModel:
    """Read a `deploy.yaml`.

    PaddleSeg doesn't name classes, but a `label_list` added under `Deploy` is used.

    Raises:
        UsageError: A part of it, or a file beside it, is missing or unusable.
    """
    config = read_yaml(path)
    deploy = config.get("Deploy")
    if not isinstance(deploy, dict):
        raise UsageError(f"{path} has no section Deploy")
    transforms, labels = deploy.get("transforms"), deploy.get("label_list", [])
    if not isinstance(transforms, list):
        raise UsageError(f"{path} has no list Deploy.transforms")
    if not isinstance(labels, list):
        raise UsageError(f"label_list in {path} must be a list of names")
    task, ops = _read_task(config, transforms)
    model_file, params_file = find_graph(path.parent)
    return ExportedModel(
        name=export_name(config, path.parent),
        task=task,
        arch=str(config.get("ModelName", "PaddleSeg")),
        labels=checked_labels(labels, "label_list", path),
        ops=ops,
        config_file=path,
        model_file=model_file,
        params_file=params_file,
        config=config,
        # The graph outputs only its first image's map.
        largest_batch=1 if task == PANOPTIC else None,
    )


def _read_task(config: Mapping[str, Any], transforms: list[Any]) -> tuple[str, tuple[Op, ...]]:
    names = [entry.get("type") for entry in transforms if isinstance(entry, Mapping)]
    if "ModelName" in config or LOADING in names:
        _check_matting(config)
        return MATTING, parse_matting(transforms)
    if COLLECTING in names:
        return PANOPTIC, parse_panoptic(transforms)
    return SEGMENT, parse_transforms(transforms)


def _check_matting(config: Mapping[str, Any]) -> None:
    wanted = _MORE_INPUTS.get(str(config.get("ModelName")))
    if wanted is not None:
        raise UsageError(
            f"the matting model {config['ModelName']} needs {wanted} beside each picture",
            hint="models that take a picture alone can be run: PPMatting, PPMattingV2, MODNet ...",
        )
