"""Where things lie under a job's output prefix. Keys only; readers take names from rows."""

from core.keys import encode_key

MANIFEST = "manifest.json"
REPORT = "report.html"


ATTEMPTS = "_attempts/"
ITEMS = "items/"


def items_part(number: int, plan_attempt: int) -> str:
    """Return the key of part `number` of the item manifest.

    Each planning attempt writes under names of its own: a stalled planner that wakes up can't
    change a part that others read. `settle` removes the parts that were never committed.
    """
    return f"{ITEMS}part-{number:05d}-{plan_attempt}.parquet"


def results_part(seq: int) -> str:
    """Return the final key of the result part of the job's shard `seq`."""
    return f"results/part-{seq:06d}.parquet"


def staged_results_part(seq: int, attempt: int) -> str:
    """Return the key under which attempt `attempt` stages that part."""
    return f"{ATTEMPTS}{seq:06d}/{attempt}/part.parquet"


def mask_image(key: str, model: str | None = None) -> str:
    """Return the key of the label map of the source image `key`.

    `model` is given where several models each make one.
    """
    return f"masks/{encode_key(_of_model(key, model), '.png')}"


def cutout_image(key: str, model: str | None = None) -> str:
    """Return the key of what a matting model leaves of the source image `key`; `model` as there."""
    return f"cutouts/{encode_key(_of_model(key, model), '.png')}"


def annotated_image(key: str, model: str | None = None) -> str:
    """Return the key of the annotated picture of the source image `key`; `model` as there."""
    return f"annotated/{encode_key(_of_model(key, model), '.jpg')}"


def _of_model(key: str, model: str | None) -> str:
    return key if model is None else f"{model}/{key}"
