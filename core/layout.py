"""Where things lie under a job's output prefix. For writing only; readers take names from rows."""

from core.keys import encode_key
from core.kinds import ArtefactRole

MANIFEST = "manifest.json"
REPORT = "report.html"


ATTEMPTS = "_attempts/"
ITEMS = "items/"
CARRIED = "carried/"
RESULTS = "results/"
EVALUATIONS = "evaluation/"


def items_part(number: int, plan_attempt: int) -> str:
    """Return the key of part `number` of the item manifest.

    Each planning attempt writes under its own names: a stalled planner that wakes up can't change
    a part that others read. `settle` removes the parts that were never committed.
    """
    return f"{ITEMS}part-{number:05d}-{plan_attempt}.parquet"


def compaction_output(output: str, job_id: str) -> str:
    """Return where the compaction `job_id` of a job with this output writes: inside of it.

    Whoever may read the one may read the other. What lies there is that job's, see `is_ours`.
    """
    return f"{output.rstrip('/')}/compact/{job_id}"


def carried_part(number: int, plan_attempt: int) -> str:
    """Return the key of part `number` of the manifest of items taken over from earlier jobs.

    As with item manifests, each planning attempt writes under its own names.
    """
    return f"{CARRIED}part-{number:05d}-{plan_attempt}.parquet"


def part_name(seq: int) -> str:
    """Return the name that the job's planned shard `seq` gives its artefacts."""
    return f"{seq:06d}"


def child_part(parent: str, number: int) -> str:
    """Return the name that child `number` of the shard `parent` gives its artefacts.

    It depends on what was planned alone, never on timing: a second run plans the same names.
    """
    return f"{parent}-{number:03d}"


def part_order(part: str) -> tuple[int, ...]:
    """Return the sort key that puts parts in listing order, children after their parent."""
    return tuple(int(number) for number in part.split("-"))


def results_part(part: str) -> str:
    """Return the final key of the rows of this part."""
    return artefact(ArtefactRole.ROWS, part, ".parquet")


_FOLDERS = {
    ArtefactRole.ROWS: "results",
    ArtefactRole.VIDEO: "videos",
    ArtefactRole.MASKS: "mask_videos",
    ArtefactRole.TABLES: "tables",
    ArtefactRole.CARRIED: "carried",
}


def artefact(role: ArtefactRole, part: str, suffix: str) -> str:
    """Return the final key of an artefact other than a picture; `suffix` includes its dot."""
    return f"{_FOLDERS[role]}/part-{part}{suffix}"


def staged_results_part(part: str, attempt: int) -> str:
    """Return the key under which attempt `attempt` stages the rows of this part."""
    return staged_artefact(ArtefactRole.ROWS, part, attempt, ".parquet")


def staged_artefact(role: ArtefactRole, part: str, attempt: int, suffix: str) -> str:
    """Return the key under which attempt `attempt` stages an artefact."""
    name = "part" if role is ArtefactRole.ROWS else role.value
    return f"{ATTEMPTS}{part}/{attempt}/{name}{suffix}"


def evaluation_file(name: str, suffix: str) -> str:
    """Return the key of an evaluation of this name: its numbers (`.json`) or its page (`.html`)."""
    return f"{EVALUATIONS}{name}{suffix}"


def mask_image(key: str, model: str | None = None) -> str:
    """Return the key of the label map of the source image `key`.

    `model` is given if several models each make one.
    """
    return f"masks/{_of_model(key, model, '.png')}"


def cutout_image(key: str, model: str | None = None) -> str:
    """Return the key of what matting cuts out of the source image `key`; `model` as above."""
    return f"cutouts/{_of_model(key, model, '.png')}"


def annotated_image(key: str, model: str | None = None, form: str = "jpg") -> str:
    """Return the key of the annotated picture of the source image `key`; `model` as above.

    `form` is the picture's format.
    """
    return f"annotated/{_of_model(key, model, f'.{form}')}"


_PICTURES = (".jpg", ".png", ".webp")
_OURS: dict[str, tuple[str, ...]] = {
    ATTEMPTS: ("",),
    f"{ITEMS}part-": (".parquet",),
    f"{CARRIED}part-": (".parquet",),
    EVALUATIONS: (".json", ".html"),
    "annotated/": _PICTURES,
    "cutouts/": _PICTURES,
    "masks/": _PICTURES,
    **{f"{folder}/part-": ("",) for folder in _FOLDERS.values()},
}


def is_ours(key: str) -> bool:
    """Return whether a job may have written an object of this name into its output."""
    return key in {MANIFEST, REPORT} or any(
        key.startswith(folder) and key.endswith(suffixes) for folder, suffixes in _OURS.items()
    )


def _of_model(key: str, model: str | None, suffix: str) -> str:
    """Return the encoded key, in the model's folder if there is one.

    The names of composed models join those of their parts with `+`, which stays readable in the
    folder's name. Nothing else is ever encoded as a plus, so that names still never share a folder.
    """
    if model is None:
        return encode_key(key, suffix)
    folder, slash, rest = encode_key(f"{model}/{key}", suffix).partition("/")
    return folder.replace("%2B", "+") + slash + rest
