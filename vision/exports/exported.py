"""What a model directory says about itself, whichever Paddle tool wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vision.ops.detection import Op

# What a preprocessed image can be fed as. Which of them a graph reads, only the graph knows
# (`scale_factor` alone for PP-YOLOE, `im_shape` too for YOLOv3), so a predictor asks for its names.
FEEDS = ("image", "im_shape", "scale_factor")


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """What a model directory says about itself.

    `config` is the YAML as it was read. `threshold` is the score that the export suggests: a
    detector's for pictures, a classifier's of many labels for what counts. `most_classes` is how
    many classes an image gets at most, None where each that is sure enough counts.
    `largest_batch` is how many images the graph can take at once, None for as many as there are.
    """

    name: str
    task: str
    arch: str
    labels: tuple[str, ...]
    ops: tuple[Op, ...]
    config_file: Path
    model_file: Path
    params_file: Path
    config: Mapping[str, Any]
    threshold: float = 0.0
    most_classes: int | None = None
    largest_batch: int | None = None

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """The files that make the model what it is; a change in any makes another model."""
        return self.config_file, self.model_file, self.params_file
