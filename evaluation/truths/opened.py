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

    A directory holds label maps for segmentations, else `annotations.json` in COCO's format, else
    YOLO's labels; a file is CSV by its name, else COCO's JSON.

    Raises:
        UsageError: it cannot be read.
    """
    if is_folder(location):
        if task == SEGMENT:
            return read_label_maps(location)
        inside = f"{location.rstrip('/')}/annotations.json"
        return read_coco(inside, wanted) if is_object(inside) else read_yolo(location)
    if not is_object(location):
        if "/" in location or location.lower().endswith((".json", ".csv")):
            raise UsageError(f"there is no truth at {location}")
        return None
    if location.lower().endswith(".csv"):
        return read_table(location, texts=wanted.texts)
    return read_coco(location, wanted)
