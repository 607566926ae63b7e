"""What a job has left behind, and whether it is whole."""

import hashlib
from dataclasses import dataclass
from typing import Any

from core.states import ENDED_JOBS
from store.locations import open_store
from store.objects import ObjectStore
from store.parts import iter_rows
from tests.acceptance.fleet import Fleet


@dataclass(frozen=True, slots=True)
class Outcome:
    """A job's end: its rows in listing order, and the digests of its parts and pictures by key."""

    state: str
    rows: list[dict[str, Any]]
    parts: dict[str, str]
    pictures: dict[str, str]

    def row(self, item: str) -> dict[str, Any]:
        (row,) = [row for row in self.rows if row["item"] == item]
        return row

    @property
    def reasons(self) -> dict[str, str]:
        """The codes of the quarantined items' reasons, by item."""
        quarantined = (row for row in self.rows if row["state"] == "quarantined")
        return {row["item"]: row["reason"].partition(":")[0] for row in quarantined}


def outcome(fleet: Fleet, job_id: str, **how: Any) -> Outcome:
    """Wait for a job's end and return what it left, having checked what must always hold."""
    job = fleet.until_ended(job_id, **how)
    output = open_store(job.output)
    parts = [info.key for info in output.list("results/part-")]
    rows = [row for part in parts for row in iter_rows(output.get(part))]
    _check(fleet, job_id, rows)
    return Outcome(
        state=job.state.value,
        rows=rows,
        parts=_digests(output, "results"),
        pictures=_digests(output, "annotated"),
    )


def _check(fleet: Fleet, job_id: str, rows: list[dict[str, Any]]) -> None:
    job, counts = fleet.job(job_id), fleet.tally(job_id)
    assert job.state in ENDED_JOBS
    assert counts.pending == 0
    assert counts.listed == job.listed
    settled = counts.succeeded + counts.skipped + counts.quarantined
    assert counts.listed == settled + counts.cancelled
    assert len(rows) == settled
    items = [row["item"] for row in rows]
    assert len(set(items)) == len(items), "an item has two results"
    by_state = {state: sum(row["state"] == state for row in rows) for state in _STATES}
    assert by_state == {state: getattr(counts, state) for state in _STATES}


_STATES = ("succeeded", "skipped", "quarantined")


def _digests(output: ObjectStore, folder: str) -> dict[str, str]:
    return {
        info.key: hashlib.sha256(output.get(info.key)).hexdigest()
        for info in output.list(f"{folder}/")
    }
