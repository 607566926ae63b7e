"""Models beside each other: an item is decoded once, and has a row and a picture under each."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from structlog.testing import capture_logs

from core.items import ItemRef
from core.layout import annotated_image, mask_image
from core.options import SEVERAL, ModelRef
from core.profile import NetworkProfile
from core.states import ItemState
from core.ways import Way
from store.files import FileObjects
from store.parts import ResultRow, count_states, encode_rows, merge_rows, unsucceeded
from tests.bench import OPTIONS, PROFILE
from tests.workshop import (
    Network,
    NumberFinder,
    models_of,
    new_run,
    work_unit,
    write_item,
    write_model,
)
from worker.engines.protocol import ModelFiles, Sizes
from worker.pipeline import images
from worker.pipeline.pipeline import Pipeline, Threads

NAMES = ("first", "second")


class Networks(Network):
    """A pipeline whose networks are scripted one by one, by the names of their directories."""

    def __init__(self) -> None:
        super().__init__()
        self.by_name = {name: Network() for name in NAMES}

    def load(
        self, model: ModelFiles, profile: NetworkProfile, *, way: Way, sizes: Sizes, count: int
    ) -> list[NumberFinder]:
        del profile, way, sizes
        return [NumberFinder(self.by_name[model.graph.parent.name]) for _ in range(count)]


class Works:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.networks = Networks()
        parts = {
            name: replace(write_model(folder / name, labels=("even", f"odd {name}")), name=name)
            for name in NAMES
        }
        self.model = ModelRef.composed("both", SEVERAL, parts)
        threads = Threads(fetch=1, decode=2, predict=2, finish=2, upload=1)
        self.pipeline = Pipeline(models_of(self.networks, replicas=2), threads)

    def items(self, count: int) -> list[ItemRef]:
        return [write_item(self.folder / "source", number) for number in range(count)]

    def rows(
        self, items: Sequence[ItemRef], *, annotate: bool = False, **options: Any
    ) -> list[ResultRow]:
        unit = work_unit(
            self.model,
            source=self.folder / "source",
            output=self.folder / "output",
            options=OPTIONS.but(annotate=annotate, **options),
        )
        model = self.pipeline.models.acquire(self.model, PROFILE)
        try:
            return self.pipeline.rows(new_run(unit), items, model)
        finally:
            self.pipeline.models.release(model)

    def close(self) -> None:
        self.pipeline.close()
        self.pipeline.models.close()


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Works]:
    works = Works(tmp_path)
    yield works
    works.close()


def told(rows: Sequence[ResultRow]) -> list[tuple[str, str, float | None]]:
    """Of each row, the item, the model and the number that the model saw."""
    return [
        (
            row.item.key,
            row.model,
            None if row.detections is None else float(row.detections.xyxy[0, 0]),
        )
        for row in rows
    ]


def test_each_item_has_a_row_under_each_model_in_listing_order(works: Works) -> None:
    items = works.items(20)
    rows = works.rows(items)
    assert told(rows) == [(item.key, name, n) for n, item in enumerate(items) for name in NAMES]
    labels = {(row.model, row.detections.labels[1]) for row in rows if row.detections is not None}
    assert labels == {("first", "odd first"), ("second", "odd second")}


def test_each_item_is_decoded_once(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    decode = images.read_picture

    def counted(data: bytes, **limits: Any) -> object:
        calls.append(1)
        return decode(data, **limits)

    monkeypatch.setattr(images, "read_picture", counted)
    works.rows(works.items(7))
    assert len(calls) == 7


def test_a_damaged_picture_is_quarantined_unless_the_job_is_lenient(works: Works) -> None:
    [item] = works.items(1)
    photo = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    data = cv2.imencode(".jpg", photo)[1].tobytes()
    data = data[: len(data) // 2] + b"\xff\xd9"
    (works.folder / "source" / item.key).write_bytes(data)
    item = replace(item, etag=None, size=len(data))
    with capture_logs() as logs:
        strict, lenient = works.rows([item]), works.rows([item], lenient=True)
    assert [row.state for row in strict] == [ItemState.QUARANTINED] * 2
    assert {str(row.reason).partition(":")[0] for row in strict} == {"truncated"}
    assert [row.state for row in lenient] == [ItemState.SUCCEEDED] * 2
    assert {row.warning for row in lenient} == {"damaged: premature end of data segment"}
    told = [line for line in logs if line["event"] == "picture read with a warning"]
    assert [(line["item"], line["warning"]) for line in told] == [(item.key, lenient[0].warning)]
    assert {row.warning for row in works.rows(works.items(2), lenient=True)} == {None}


def test_what_one_model_refuses_the_other_still_answers(works: Works) -> None:
    works.networks.by_name["second"].refused = frozenset({2})
    rows = works.rows(works.items(4))
    failed = [(row.item.key, row.model) for row in rows if row.state is ItemState.QUARANTINED]
    assert failed == [("002.png", "second")]
    [reason] = [row.reason for row in rows if row.reason]
    assert reason == "predict_failed: a picture says no"
    # Counted as items: it is one that has not all of its results, and is tried again as a whole.
    part = encode_rows(rows)
    assert count_states(part) == {"succeeded": 3, "quarantined": 1}
    assert unsucceeded(part) == {2}
    works.networks.by_name["second"].refused = frozenset()
    again = works.rows([row.item for row in rows if row.item.index == 2][:1])
    assert merge_rows(part, again) == encode_rows(works.rows(works.items(4)))


def test_what_cannot_be_decoded_is_quarantined_under_each_model(works: Works) -> None:
    items = works.items(2)
    (works.folder / "source" / items[1].key).write_bytes(b"no picture")
    rows = works.rows(items)
    assert [(row.model, (row.reason or "").split(":")[0]) for row in rows[2:]] == [
        (name, "not_an_image") for name in NAMES
    ]


def test_each_model_has_pictures_of_its_own(works: Works) -> None:
    rows = works.rows(works.items(2), annotate=True)
    keys = [row.annotated for row in rows]
    assert keys == [f"annotated/{name}/{n:03d}.png.jpg" for n in range(2) for name in NAMES]
    assert all((works.folder / "output" / str(key)).is_file() for key in keys)


def test_names_of_outputs_say_the_model_only_if_there_are_several() -> None:
    assert annotated_image("a/b.png") == "annotated/a/b.png.jpg"
    assert annotated_image("a/b.png", "m+n") == "annotated/m+n/a/b.png.jpg"
    assert mask_image("b.png", "..") == "masks/%2E%2E/b.png.png"


def test_what_any_model_finds_is_blurred_in_the_pictures_of_all(works: Works) -> None:
    [item] = works.items(1)  # both find something `even` in it
    boxed = works.rows([item], annotate=True)
    output = FileObjects(works.folder / "output")
    before = {row.model: output.get(str(row.annotated)) for row in boxed}
    redacted = works.rows([item], annotate=True, redact=("even",))
    assert {row.model: output.get(str(row.annotated)) for row in redacted}.keys() == before.keys()
    assert told(redacted) == told(boxed)


def test_a_picture_is_not_shown_if_a_model_that_might_have_hidden_something_failed(
    works: Works,
) -> None:
    works.networks.by_name["second"].refused = frozenset({2})
    rows = works.rows(works.items(4), annotate=True, redact=("even",))
    shown = {(row.item.key, row.model) for row in rows if row.annotated}
    assert shown == {(f"{n:03d}.png", name) for n in (0, 1, 3) for name in NAMES}
    [first, second] = [row for row in rows if row.item.key == "002.png"]
    assert (first.state, second.state) == (ItemState.SUCCEEDED, ItemState.QUARANTINED)
    assert "002" not in "".join(
        found.key for found in FileObjects(works.folder / "output").list("annotated/")
    )


def test_classes_are_kept_for_each_model_by_its_own_labels(works: Works) -> None:
    rows = works.rows(works.items(4), classes=("odd second",))
    found = [(row.model, len(row.detections)) for row in rows if row.detections is not None]
    assert found == [("first", 0), ("second", 0), ("first", 0), ("second", 1)] * 2
