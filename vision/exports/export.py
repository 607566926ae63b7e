"""Reads a model directory as a Paddle tool's export script wrote it; its YAML tells which."""

import hashlib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import UsageError
from vision.exports.classification import read_classification
from vision.exports.detection import read_detection
from vision.exports.exported import ExportedModel, fixed_shapes
from vision.exports.files import read_yaml
from vision.exports.segmentation import read_segmentation
from vision.exports.text import is_for_text, read_text

_MOST_PIXELS = 1 << 26

# What a value of the wrong kind, or infinity, raises somewhere in what reads it.
_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def _read_inference(path: Path) -> ExportedModel:
    """Read an `inference.yml`, PaddleX's name for the YAML of any of the tools."""
    config = read_yaml(path)
    if is_for_text(config):
        return read_text(path, config)
    if "Deploy" in config:
        return read_segmentation(path)
    if "arch" in config and "Preprocess" in config:
        return read_detection(path)
    return read_classification(path)


_FAMILIES: dict[str, Callable[[Path], ExportedModel]] = {
    "infer_cfg.yml": read_detection,
    "deploy.yaml": read_segmentation,
    "inference.yml": _read_inference,
}


def is_export(directory: Path) -> bool:
    """Return whether a directory holds the YAML of an export, whatever else is missing or wrong."""
    return any((directory / file_name).is_file() for file_name in _FAMILIES)


def read_export(directory: Path) -> ExportedModel:
    """Read a model directory, loading only its YAML.

    Raises:
        UsageError: The directory, a file in it or a part of its YAML is missing or unusable, or
            this version can't run the model.
    """
    if not directory.is_dir():
        raise UsageError(
            f"there is no model directory {directory}",
            hint="give the folder that the export wrote, with infer_cfg.yml in it",
        )
    for file_name, read in _FAMILIES.items():
        if (directory / file_name).is_file():
            return _read_checked(read, directory / file_name)
    raise UsageError(
        f"{directory} holds none of {', '.join(_FAMILIES)}",
        hint="export the model with its Paddle tool's export script and give the folder it wrote",
    )


def _read_checked(read: Callable[[Path], ExportedModel], path: Path) -> ExportedModel:
    try:
        export = read(path)
        _check_numbers(export)
        _check_size(export)
    except _ODD as error:
        raise UsageError(
            f"{path} has a value that makes no sense: {error}",
            hint="take the YAML as its export script wrote it",
        ) from error
    return export


def _check_numbers(export: ExportedModel) -> None:
    """Refuse steps of preprocessing by infinity or NaN.

    Raises:
        ValueError: one is there.
    """
    for op in export.ops:
        values = np.hstack([value for value in _values(op) if isinstance(value, float | tuple)])
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"{type(op).__name__} by a number that is none")


def _values(op: Any) -> list[Any]:
    return [getattr(op, each.name) for each in fields(op)] + [()]


def _check_size(export: ExportedModel) -> None:
    """Refuse inputs that no machine could make."""
    for height, width in fixed_shapes(export):
        if height * width > _MOST_PIXELS:
            raise UsageError(
                f"{export.config_file} wants inputs of {width}x{height} pixels",
                hint=f"networks take at most {_MOST_PIXELS:,} pixels",
            )


def export_digest(directory: Path) -> str:
    """Return the SHA-256 (hex) of the names and bytes of the files that define a model.

    Raises:
        UsageError: As `read_export`.
    """
    digest = hashlib.sha256()
    for path in read_export(directory).files:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.name}\0{content}\n".encode())
    return digest.hexdigest()
