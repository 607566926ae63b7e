"""Truth as a directory of label maps: PNGs whose pixels are numbers of classes."""

from core.errors import UsageError
from evaluation.things import Things
from evaluation.truth import Truth
from store.locations import open_store

_SUFFIX = ".png"


def read_label_maps(location: str) -> Truth:
    """Return the truth of a directory; a map is named as its picture, or as that and `.png`.

    Raises:
        UsageError: there are no PNGs.
    """
    keys = [one.key for one in open_store(location).list() if one.key.lower().endswith(_SUFFIX)]
    if not keys:
        raise UsageError(f"{location} has no label maps", hint="a PNG for each picture")
    return Truth(
        location,
        "label maps",
        [key[: -len(_SUFFIX)] for key in keys],
        (),
        Things.of([], []),
        has_stems=True,
        masks=[(location, key) for key in keys],
    )
