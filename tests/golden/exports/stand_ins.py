"""Importing an official repository without what it imports for training, drawing and metrics."""

import importlib
import importlib.util
import sys
import warnings
from pathlib import Path
from types import ModuleType
from unittest import mock

MISSING = (
    "imgaug",
    "imgaug.augmentables",
    "imgaug.augmentables.lines",
    "imgaug.augmentables.segmaps",
    "imgaug.augmenters",
    "lap",
    "motmetrics",
    "numba",
    "pymatting",
    "skimage",
    "skimage.measure",
    "terminaltables",
)
"""What the repositories import and no network is made of."""


def prepare(*folders: Path) -> None:
    """Make the folders' packages importable."""
    warnings.simplefilter("ignore")
    sys.path[:0] = map(str, folders)
    sys.modules.update({name: mock.MagicMock() for name in MISSING})


def module(name: str) -> ModuleType:
    """A module of an official repository."""
    return importlib.import_module(name)


def file(path: Path) -> ModuleType:
    """A script of an official repository, loaded and not run."""
    spec = importlib.util.spec_from_file_location(f"official_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
