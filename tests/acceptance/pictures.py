"""What the jobs of these tests read: small pictures, some with a mark, and a model to run."""

from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from tests.acceptance.standin import LABELS, MARKS

COUNT = 24
MARKED = {5: "gate", 9: "abort", 14: "hang", 17: "refuse"}
"""The marks among the `COUNT` pictures by position: each in a shard of its own, six a shard."""

SIZE = (64, 48)  # width, height, of the network's input, too: a marked picture reaches it unchanged


def write_pictures(folder: Path) -> list[str]:
    """Write `COUNT` pictures and return their names in listing order."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for index in range(COUNT):
        mark = MARKED.get(index)
        suffix = "png" if mark or index % 2 else "jpg"
        names.append(f"{index:02d}.{suffix}")
        write_picture(folder / names[-1], picture(index, mark=mark))
    return names


def picture(seed: int, *, mark: str | None = None) -> NDArray[np.uint8]:
    """A BGR picture, smooth enough to look at; every third unmarked one is larger."""
    rng = np.random.default_rng(seed)
    width, height = SIZE if mark or seed % 3 else (2 * SIZE[0], 3 * SIZE[1])
    coarse = rng.integers(20, 220, (3, 4, 3), np.uint8)
    image = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))
    if mark:
        image[:4, :4] = MARKS[mark][::-1]
    return image.astype(np.uint8)


def write_picture(path: Path, image: NDArray[np.uint8]) -> None:
    path.write_bytes(encoded(image, path.suffix))


def encoded(image: NDArray[np.uint8], suffix: str) -> bytes:
    done, data = cv2.imencode(suffix, image)
    assert done
    return bytes(data)


def write_model(directory: Path) -> Path:
    """Write a model directory for the stand-in, which reads none of it but the settings."""
    directory.mkdir(parents=True)
    config = {
        "mode": "paddle",
        "draw_threshold": 0.5,
        "metric": "COCO",
        "arch": "YOLO",
        "min_subgraph_size": 3,
        "Preprocess": [
            {"type": "Resize", "target_size": list(SIZE[::-1]), "keep_ratio": False, "interp": 1},
            {
                "type": "NormalizeImage",
                "is_scale": False,
                "mean": [0.0, 0.0, 0.0],
                "std": [1.0, 1.0, 1.0],
            },
            {"type": "Permute"},
        ],
        "label_list": list(LABELS),
    }
    (directory / "infer_cfg.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    (directory / "model.json").write_text("{}")
    (directory / "model.pdiparams").write_bytes(b"\0")
    return directory
