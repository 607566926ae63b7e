"""A model directory as PaddleDetection's `tools/export_model.py` leaves it: `infer_cfg.yml`.

Other families of Paddle tools write other files; each gets its reader in `_FAMILIES`.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.errors import UsageError
from vision.architectures import check_detector
from vision.op_list import parse_ops
from vision.ops import Op

# What a preprocessed image can be fed as. Which of them a graph reads, only the graph knows
# (`scale_factor` alone for PP-YOLOE, `im_shape` too for YOLOv3), so a predictor asks for its names.
FEEDS = ("image", "im_shape", "scale_factor")


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """What a model directory says about itself.

    `config` is the YAML as it was read. `draw_threshold` is the score that the export suggests for
    pictures. `feeds` are the inputs that preprocessing can fill.
    """

    name: str
    task: str
    arch: str
    labels: tuple[str, ...]
    ops: tuple[Op, ...]
    config_file: Path
    model_file: Path
    params_file: Path
    draw_threshold: float
    feeds: tuple[str, ...]
    config: Mapping[str, Any]

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """The files that make the model what it is; a change in any makes another model."""
        return self.config_file, self.model_file, self.params_file


def read_export(directory: Path) -> ExportedModel:
    """Read a model directory; nothing is loaded but its YAML.

    Raises:
        UsageError: The directory, a file in it or a part of its YAML is missing or unusable, or
            the model is none that this version can run.
    """
    if not directory.is_dir():
        raise UsageError(
            f"there is no model directory {directory}",
            hint="give the folder that the export wrote, with infer_cfg.yml in it",
        )
    for file_name, read in _FAMILIES.items():
        if (directory / file_name).is_file():
            return read(directory / file_name)
    raise UsageError(
        f"{directory} holds none of {', '.join(_FAMILIES)}",
        hint="export the model with its Paddle tool's export script and give the folder it wrote",
    )


def export_digest(directory: Path) -> str:
    """SHA-256 (hex) over the names and bytes of the files that define a model, read in pieces.

    Raises:
        UsageError: As `read_export`.
    """
    digest = hashlib.sha256()
    for path in read_export(directory).files:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.name}\0{content}\n".encode())
    return digest.hexdigest()


def _read_detection(path: Path) -> ExportedModel:
    config = _read_yaml(path)
    arch = config.get("arch")
    if not isinstance(arch, str):
        raise UsageError(f"{path} does not name an arch")
    check_detector(arch, config, path)
    labels, steps = config.get("label_list"), config.get("Preprocess")
    if not isinstance(labels, list) or not labels:
        raise UsageError(
            f"label_list in {path} is empty", hint="list the names of the model's classes there"
        )
    if not isinstance(steps, list):
        raise UsageError(f"{path} has no list Preprocess")
    model_file, params_file = _find_graph(path.parent)
    return ExportedModel(
        name=_name(config, path.parent),
        task="detect",
        arch=arch,
        labels=tuple(map(str, labels)),
        ops=parse_ops(steps),
        config_file=path,
        model_file=model_file,
        params_file=params_file,
        draw_threshold=_draw_threshold(config, path),
        feeds=FEEDS,
        config=config,
    )


def _read_other(path: Path) -> ExportedModel:
    raise UsageError(
        f"{path} is not supported yet by this version",
        hint="this version runs detection models that PaddleDetection exported (infer_cfg.yml)",
    )


_FAMILIES: dict[str, Callable[[Path], ExportedModel]] = {
    "infer_cfg.yml": _read_detection,
    "deploy.yaml": _read_other,
    "inference.yml": _read_other,
}


def _read_yaml(path: Path) -> Mapping[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise UsageError(f"{path} does not hold settings (key: value)")
    return config


def _find_graph(directory: Path) -> tuple[Path, Path]:
    """The graph and its weights, by what is there: the names in the YAML are not to be trusted."""
    candidates = [(f"{stem}{suffix}", f"{stem}.pdiparams") for stem, suffix in _GRAPHS]
    candidates.append(("__model__", "__params__"))
    for graph, params in candidates:
        if not (directory / graph).is_file():
            continue
        if not (directory / params).is_file():
            raise UsageError(
                f"{directory} has {graph} but no {params}",
                hint="the weights are missing; copy the whole folder that the export wrote",
            )
        return directory / graph, directory / params
    raise UsageError(
        f"{directory} has no graph ({', '.join(graph for graph, _ in candidates)})",
        hint="give the folder that the export wrote, not that of the training",
    )


_GRAPHS = [(stem, suffix) for stem in ("model", "inference") for suffix in (".json", ".pdmodel")]


def _name(config: Mapping[str, Any], directory: Path) -> str:
    meta = config.get("Global")
    name = meta.get("model_name") if isinstance(meta, dict) else None
    return str(name) if name else directory.resolve().name


def _draw_threshold(config: Mapping[str, Any], path: Path) -> float:
    value = config.get("draw_threshold", 0.5)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UsageError(f"draw_threshold in {path} must be between 0 and 1, not {value!r}")
    return float(value)
