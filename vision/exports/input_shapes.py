"""Whether what a model is fed for different pictures fits into one batch."""

from collections.abc import Iterable

from core.batching import NetworkTraits, Shapes
from core.options import ModelRef
from core.tasks import TEXT_REC
from vision.exports.exported import ExportedModel
from vision.ops.preprocess import Preprocessor

_LINES = TEXT_REC
"""The task of models whose inputs come in few widths, made to be shared."""


def fixed_shapes(export: ExportedModel) -> tuple[tuple[int, int], ...]:
    """The (height, width) that all inputs have; none where they vary."""
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
