"""Runs of a schedule that does only what is new, and whether what each leaves is whole."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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

    def made_by(self, item: str) -> str:
        """The job whose rows are this item's."""
        [row, *_] = (row for (name, _), row in self.rows.items() if name == item)
        return str(row.get("job", self.id))


def night(prompt: Prompt, ref: str) -> Night:
    """Look at a run that has ended in every way that there is; all have to say the same."""
    status = json.loads(prompt.does("status", ref, "--format", "json"))
    job, output = status["id"], status["output"]
    rows = _rows(prompt, "results", job)
    assert _rows(prompt, "results", output) == rows
    found = _rows(prompt, "query", job, "select * from items")
    listed = sorted((row["item"], row["model"] or "", row["state"]) for row in rows)
    assert sorted((row["item"], row["model"] or "", row["state"]) for row in found) == listed
    by_item = {(row["item"], row["model"] or ""): row for row in rows}
    assert len(by_item) == len(rows)

    asked = {(row["item"], row["model"] or ""): row for row in found}
    for key, row in by_item.items():
        one = asked[key]
        assert one["job"] == job
        assert one["made_by"] == row.get("job", job), (key, one, row)
        assert (one["etag"], one["size"]) == (row["source"]["etag"], row["source"]["size"])
        assert one["found"] == (None if row["detections"] is None else len(row["detections"]))
        if row["state"] == "succeeded":
            assert _read(one["uri"]), one
        if row["annotated"] is not None:
            drawn = one["annotated"]
            assert _read(drawn), drawn
            shown = row["annotated"]
            assert drawn == (shown if "job" in row else f"{output}/{shown}"), (drawn, shown)
    held = _rows(prompt, "quarantine", "list", job)
    assert {row["item"] for row in held} == {
        row["item"] for row in rows if row["state"] == "quarantined"
    }
    items = status["items"]
    assert items["pending"] == 0
    names = {name for name, _ in by_item}
    assert len(names) == items["listed"] - items["cancelled"] + items.get("carried", 0)
    return Night(prompt, status, by_item)


def compare_with_full(one: Night, *words: str | Path) -> None:
    """Run the same job over the same data from scratch; a night's view has to equal it."""
    said = one.prompt.run("submit", "--like", one.id, "--name", "full", "--watch", *words)
    assert said.code in (0, 3), said.err
    full = night(one.prompt, said.out.strip())
    assert full.status.get("since") is None
    assert one.rows.keys() == full.rows.keys()
    for key, row in one.rows.items():
        other = full.rows[key]
        assert _found(row) == _found(other), key
        if row["annotated"] is not None:
            mine, its = (_picture(each, each.rows[key]) for each in (one, full))
            assert mine == its, f"the picture of {key} is another"


def _found(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _OF_A_RUN}


def _picture(one: Night, row: Mapping[str, Any]) -> bytes:
    shown = row["annotated"]
    return _read(shown if "job" in row else f"{one.output}/{shown}")


def _read(place: str) -> bytes:
    folder, _, name = place.rpartition("/")
    return bytes(open_store(folder).get(text_to_key(name)))


def _rows(prompt: Prompt, *words: str) -> Sequence[dict[str, Any]]:
    return [json.loads(line) for line in prompt.does(*words, "--format", "ndjson").splitlines()]
