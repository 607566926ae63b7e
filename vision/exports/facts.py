"""What is known of an export once its files have been read."""

from core.export_facts import ExportFacts
from core.tasks import DETECT
from vision.exports.detection import gives_masks
from vision.exports.exported import ExportedModel, traits_of
from vision.exports.keypoint import BOTTOM_UP


def facts_of(export: ExportedModel) -> ExportFacts:
    """Return what checking a job needs to know of an export."""
    traits = traits_of(export, is_whole=True)
    return ExportFacts(
        task=export.task,
        labels=export.labels,
        threshold=export.threshold,
        has_masks=export.task == DETECT and gives_masks(export),
        finds_people=export.arch == BOTTOM_UP,
        shapes=traits.shapes,
        largest_batch=traits.largest_batch,
    )
