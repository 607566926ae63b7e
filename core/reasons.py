"""Why items are quarantined, as far as it matters to anybody but people."""

TRANSIENT = frozenset(
    {
        "access_denied",
        "archived",
        "internal_error",
        "out_of_memory",
        "shard_failed",
        "source_changed",
        "source_missing",
        "store_refused",
        "timed_out",
    }
)
"""The reasons that lie in the surroundings: the same item may succeed another time."""

OF_DRAWING = frozenset({"not_encodable"})
"""The reasons that lie in how pictures are drawn: other options may mend them."""


def code_of(reason: str | None) -> str:
    """Return the code with which the reason of a row begins; empty if there is none."""
    return (reason or "").partition(":")[0]
