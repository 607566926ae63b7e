"""Opens whatever a person named as the truth."""

from core.errors import UsageError
from core.tasks import SEGMENT
from evaluation.truth import Truth, Wanted
from evaluation.truths.coco import read_coco
from evaluation.truths.label_maps import read_label_maps
from evaluation.truths.table import read_table
from evaluation.truths.yolo import read_yolo
from store.locations import is_folder, is_object


def read_truth(location: str, task: str, wanted: Wanted) -> Truth | None:
    """Return the truth at a path or URL, by its form; None if nothing is there.

    A directory holds label maps for segmentations, else YOLO's labels; a file is CSV by its name,
    else COCO's JSON.

    Raises:
        UsageError: it cannot be read.
    """
    if is_folder(location):
        return read_label_maps(location) if task == SEGMENT else read_yolo(location)
    if not is_object(location):
        if "/" in location or location.lower().endswith((".json", ".csv")):
            raise UsageError(f"there is no truth at {location}")
        return None
    return (
        read_table(location) if location.lower().endswith(".csv") else read_coco(location, wanted)
    )
