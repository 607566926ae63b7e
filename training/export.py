"""Writes a trained network as Paddle's own export scripts do."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from worker.engines.paddle.vendor import paddle


def export(
    network: Any,
    directory: Path,
    inputs: Sequence[Any],
    yaml_name: str,
    config: Mapping[str, Any],
    stem: str = "model",
) -> None:
    """Write the YAML, `{stem}.json` and `{stem}.pdiparams` into `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    network.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Paddle's own, about its own API
        paddle.jit.save(network, str(directory / stem), input_spec=list(inputs))
    (directory / yaml_name).write_text(yaml.safe_dump(config, sort_keys=False))


def image_spec(name: str, height: int | None, width: int | None) -> Any:
    """An input of a graph: pictures [B,3,height,width]; None is any."""
    return paddle.static.InputSpec([None, 3, height, width], "float32", name)
