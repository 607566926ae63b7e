"""Whether what a model is fed for different pictures fits into one batch."""

from core.tasks import TEXT_REC
from vision.exports.exported import ExportedModel
from vision.ops.preprocess import Preprocessor

LINES = TEXT_REC
"""The task of models whose inputs come in few widths, made to be shared."""


def are_shared(export: ExportedModel) -> bool:
    """Whether inputs of different pictures mostly have the same shape."""
    return export.task == LINES or Preprocessor(export.ops).fixed_shape is not None
