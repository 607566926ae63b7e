"""The description of a model in its directory, whichever Paddle tool wrote it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.batching import NetworkTraits, Shapes
from core.options import ModelRef
from core.tasks import TEXT_REC
from vision.ops.detection import Op
from vision.ops.preprocess import Preprocessor


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """The description of a model in its directory.

    `config` is the YAML as it was read. `threshold` is the score that the export suggests: a
    detector's for drawing, a multi-label classifier's for what counts. `most_classes` is the
    maximum number of classes per image, None if every class above the threshold counts.
    `largest_batch` is how many images the graph can take at once, None if there is no limit.
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
        """The files that define the model; changing any of them makes it a different model."""
        return self.config_file, self.model_file, self.params_file


_LINES = TEXT_REC
"""The task of models whose inputs come in a few widths, chosen so that they share batches."""


def fixed_shapes(export: ExportedModel) -> tuple[tuple[int, int], ...]:
    """Return the (height, width) of all inputs; empty if they vary."""
    shape = Preprocessor(export.ops).fixed_shape
    return () if shape is None else (shape,)


def network_traits(ref: ModelRef, exports: Iterable[ExportedModel]) -> dict[str, NetworkTraits]:
    """Return the traits that decide the batch sizes of a model's networks, by digest.

    A network that is both a model by itself and a part of another counts as the former.

    Args:
        ref: The model, or several models side by side.
        exports: Its `exports`, in that order.
    """
    whole = {member.digest for member in ref.members}
    return {
        one.digest: traits_of(export, is_whole=one.digest in whole)
        for one, export in zip(ref.exports, exports, strict=True)
    }


def traits_of(export: ExportedModel, *, is_whole: bool) -> NetworkTraits:
    """Return the traits that decide an export's batch size; `is_whole` if it is a whole model."""
    if export.task == _LINES:
        shapes = Shapes.LINES
    else:
        shapes = Shapes.SHARED if fixed_shapes(export) else Shapes.OWN
    return NetworkTraits(shapes, export.largest_batch, is_whole)
