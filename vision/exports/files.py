"""Finds and reads the files of a model directory: YAML, graph, weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import UsageError
from vision.exports.bounded_yaml import LARGEST_BYTES, parse_yaml


def read_yaml(path: Path) -> Mapping[str, Any]:
    """Return the settings in a YAML file.

    Raises:
        UsageError: It cannot be read, or isn't a mapping.
    """
    try:
        with path.open("rb") as file:
            config = parse_yaml(file.read(LARGEST_BYTES + 1).decode("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}", hint="take the YAML as its export script wrote it"
        ) from error
    if not isinstance(config, dict):
        raise UsageError(f"{path} does not hold settings (key: value)")
    return config


def find_graph(directory: Path) -> tuple[Path, Path]:
    """Return the graph and its weights that are there: the names in the YAML can't be trusted.

    Raises:
        UsageError: One of them is missing.
    """
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


def export_name(config: Mapping[str, Any], directory: Path) -> str:
    """Return the name that an export states, or else its folder's."""
    meta = config.get("Global")
    name = meta.get("model_name") if isinstance(meta, dict) else None
    return str(name) if name else directory.resolve().name
