"""The items of a job, as they were listed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ItemRef:
    """One listed item: what an item manifest holds of it and a worker needs to fetch it.

    `index` is the item's position in the job's whole listing and its identity within the job.
    `key` is relative to the source unless `uri` gives the item's own location. `size` (bytes),
    `etag` and `modified` (seconds since 1970) are as they were when the item was listed.
    """

    index: int
    key: str
    uri: str | None = None
    size: int | None = None
    etag: str | None = None
    modified: float | None = None
    kind: str = "image"
