"""Runs of a schedule that does only what is new, and whether what each leaves is whole."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.keys import text_to_key
from store.locations import open_store
from store.manifests import read_items
from tests.acceptance.prompt import Prompt

_OF_A_RUN = ("annotated", "mask", "cutout", "job")
"""What rows say of the run that made them, beside what was found."""


@dataclass(frozen=True, slots=True)
class Night:
    """A run that has ended: its status as JSON, and the rows of its view by item and model."""

    prompt: Prompt
    status: Mapping[str, Any]
    rows: Mapping[tuple[str, str], Mapping[str, Any]]

    @property
    def id(self) -> str:
        return str(self.status["id"])

    @property
    def output(self) -> str:
        return str(self.status["output"])

    @property
    def words(self) -> str:
        """What the comparison with the last run found."""
        return str(self.status["comparison"]["words"])

    @property
    def whys(self) -> dict[str, str | None]:
        """Why its own items were done, by item, as its manifests say."""
        store = open_store(self.output)
        tables = [read_items(store.get(each.key), with_why=True) for each in store.list("items/")]
        return {row["key"]: row["why"] for table in tables for row in table.to_pylist()}

    @property
    def found(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The rows without what they say of the runs that made them."""
        return {key: _found(row) for key, row in self.rows.items()}

    def place(self, row: Mapping[str, Any]) -> str | None:
        """Where the picture of a row lies."""
        shown = row["annotated"]
        return shown if shown is None or "job" in row else f"{self.output}/{shown}"

    def made_by(self, item: str) -> str:
        """The job whose rows are this item's."""
        [row, *_] = (row for (name, _), row in self.rows.items() if name == item)
        return str(row.get("job", self.id))


def night(prompt: Prompt, ref: str, *, is_asked: bool = True) -> Night:
    """Look at a run that has ended in every way that there is; all have to say the same.

    Unless `is_asked`, SQL is left out: a process for it takes as long as all the rest.
    """
    status = json.loads(prompt.does("status", ref, "--format", "json"))
    job = status["id"]
    rows = _rows(prompt, "results", job)
    assert _rows(prompt, "results", status["output"]) == rows
    held = _rows(prompt, "quarantine", "list", job)
    assert held == [row for row in rows if row["state"] == "quarantined"]
    by_item = {(row["item"], row["model"] or ""): row for row in rows}
    assert len(by_item) == len(rows)
    counts = status["items"]
    assert counts["pending"] == 0
    items = counts["listed"] - counts["cancelled"] + counts.get("carried", 0)
    assert len({item for item, _ in by_item}) == items
    looked_at = Night(prompt, status, by_item)
    if is_asked:
        _check_query(looked_at)
    return looked_at


def _check_query(one: Night) -> None:
    """Ask for the same in SQL, and look whether all that its addresses name is there."""
    rows = _rows(one.prompt, "query", one.id, "select * from items")
    asked = {(row["item"], row["model"] or ""): row for row in rows}
    assert len(asked) == len(rows)
    assert asked.keys() == one.rows.keys()
    for key, row in one.rows.items():
        said = asked[key]
        assert (said["job"], said["made_by"]) == (one.id, row.get("job", one.id))
        assert said["state"] == row["state"]
        assert {"etag": said["etag"], "size": said["size"]} == row["source"]
        assert said["found"] == (None if row["detections"] is None else len(row["detections"]))
        assert said["annotated"] == one.place(row)
        if row["state"] == "succeeded":
            assert _read(said["uri"])
            assert _read(said["annotated"])


def compare_with_full(one: Night) -> None:
    """Run the same job over the same data from scratch; a night's view has to equal it."""
    said = one.prompt.run("submit", "--like", one.id, "--name", "full", "--watch")
    assert said.code in {0, 3}, said.err
    full = night(one.prompt, said.out.strip(), is_asked=False)
    assert full.status.get("since") is None
    assert one.found == full.found
    for key, row in one.rows.items():
        drawn = [each.place(each.rows[key]) for each in (one, full)]
        if row["state"] == "succeeded":
            assert _read(str(drawn[0])) == _read(str(drawn[1])), f"the picture of {key} is another"


def _found(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _OF_A_RUN}


def _read(place: str) -> bytes:
    folder, _, name = place.rpartition("/")
    return bytes(open_store(folder).get(text_to_key(name)))


def _rows(prompt: Prompt, *words: str) -> Sequence[dict[str, Any]]:
    return [json.loads(line) for line in prompt.does(*words, "--format", "ndjson").splitlines()]
