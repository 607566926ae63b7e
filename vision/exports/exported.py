"""What a model directory says about itself, whichever Paddle tool wrote it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.batching import NetworkTraits, Shapes
from core.options import ModelRef
from core.tasks import TEXT_REC
from vision.ops.detection import Op
from vision.ops.preprocess import Preprocessor

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


_LINES = TEXT_REC
"""The task of models whose inputs come in few widths, made to be shared."""


def fixed_shapes(export: ExportedModel) -> tuple[tuple[int, int], ...]:
    """Return the (height, width) that all inputs have; none where they vary."""
    shape = Preprocessor(export.ops).fixed_shape
    return () if shape is None else (shape,)


def network_traits(ref: ModelRef, exports: Iterable[ExportedModel]) -> dict[str, NetworkTraits]:
    """Return what the batch sizes of a model's networks go by, by their digests.

    A network that is a model by itself and a part of another counts as the former.

    Args:
        ref: The model, or several beside each other.
        exports: Its `exports`, in that order.
    """
    whole = {member.digest for member in ref.members}
    return {
        one.digest: traits_of(export, is_whole=one.digest in whole)
        for one, export in zip(ref.exports, exports, strict=True)
    }


def traits_of(export: ExportedModel, *, is_whole: bool) -> NetworkTraits:
    """Return what an export's batch size goes by; `is_whole` if it is a model by itself."""
    if export.task == _LINES:
        shapes = Shapes.LINES
    else:
        shapes = Shapes.SHARED if fixed_shapes(export) else Shapes.OWN
    return NetworkTraits(shapes, export.largest_batch, is_whole)
