"""Models that PaddleSeg's `tools/export.py` wrote: `deploy.yaml`."""

from pathlib import Path

from core.errors import UsageError
from vision.export_files import export_name, find_graph, read_yaml
from vision.exported import ExportedModel
from vision.segmentation_ops import parse_transforms


def read_segmentation(path: Path) -> ExportedModel:
    """Read a `deploy.yaml`.

    PaddleSeg names no classes; a `label_list` that somebody adds under `Deploy` is used.

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
    model_file, params_file = find_graph(path.parent)
    return ExportedModel(
        name=export_name(config, path.parent),
        task="segment",
        arch="PaddleSeg",
        labels=tuple(map(str, labels)),
        ops=parse_transforms(transforms),
        config_file=path,
        model_file=model_file,
        params_file=params_file,
        config=config,
    )
