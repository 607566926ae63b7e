"""A recipe of two networks on the pipeline's real threads: scripted networks find and show people.

A picture's number is how many people are in it. They stand side by side, so wide and so high, and
each one's grey is their own; the keypoint network answers with a heatmap whose one point is where
that grey says.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from core.errors import FatalError
from core.items import ItemRef
from core.options import ModelRef
from core.profile import NetworkProfile, Offered
from core.states import ItemState
from core.tasks import DETECTOR, KEYPOINT
from core.ways import Way
from core.work import Directive
from store.parts import ResultRow
from tests.bench import OFFER, OPTIONS, PROFILE
from tests.workshop import PATIENCE, Gate, models_of, new_run, work_unit
from vision.exports.export import export_digest
from worker.engines.protocol import ModelFiles, OutOfMemoryError, PredictError, Sizes
from worker.pipeline.pipeline import Pipeline, Threads
from worker.run import StoppedError

SIDE, JOINTS = 8, 3
WIDE, HIGH = 30, 40  # of a person
MOST = 20
BATCH = PROFILE.batch_size


@dataclass
class Scripted:
    """A pipeline with both networks. `before` is called with the greys of a batch of crops."""

    refused: frozenset[int] = frozenset()
    largest: int = 1024
    before: Callable[[list[int]], None] = lambda _: None
    crops: list[list[int]] = field(default_factory=list)

    def offers(self) -> tuple[Offered, ...]:
        return (Offered(OFFER),)

    def ways(self, model_file: Path) -> tuple[Way, ...]:
        return ()

    def load(
        self, model: ModelFiles, profile: NetworkProfile, *, way: Way, sizes: Sizes, count: int
    ) -> list["Finder | Pointer"]:
        kind = Finder if model.graph.parent.name == "finder" else Pointer
        return [kind(self) for _ in range(count)]


class Finder:
    memory_bytes = 0

    def __init__(self, scripted: Scripted) -> None:
        del scripted

    def predict(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        rows = []
        for picture in feeds["image"]:
            people = int(picture.max(axis=(0, 1)).astype(bool).sum()) // WIDE
            boxes = [[1, 0.6 + n / 100, WIDE * n, 0, WIDE * (n + 1), HIGH] for n in range(people)]
            rows.append([[0, 0.99, 0, 0, 3, 3], *boxes])  # and a dog, which nobody asks about
        counts = np.array([len(of_one) for of_one in rows], np.int32)
        return [np.concatenate(rows).astype(np.float32), counts]

    def close(self) -> None: ...


class Pointer:
    memory_bytes = 0

    def __init__(self, scripted: Scripted) -> None:
        self._scripted = scripted

    def predict(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        greys = [int(crop[0, SIDE // 2, SIDE // 2]) for crop in feeds["image"]]
        self._scripted.crops.append(greys)
        if len(greys) > self._scripted.largest:
            raise OutOfMemoryError("too many")
        self._scripted.before(greys)
        if self._scripted.refused.intersection(greys):
            raise PredictError("this one says no")
        maps = np.zeros((len(greys), JOINTS, SIDE, SIDE), np.float32)
        for one, grey in zip(maps, greys, strict=True):
            one[:, grey % SIDE, 0] = grey / 255
        return [maps]

    def close(self) -> None: ...


def export(directory: Path, config: dict[str, Any]) -> ModelRef:
    directory.mkdir()
    (directory / "infer_cfg.yml").write_text(yaml.safe_dump(config))
    (directory / "model.json").write_text(directory.name)
    (directory / "model.pdiparams").write_bytes(b"\0")
    name, task = directory.name, "detect" if "label_list" in config else "keypoint"
    return ModelRef(name, task, export_digest(directory), f"file://{directory}")


def composed(folder: Path, **settings: Any) -> ModelRef:
    permute = {"type": "Permute"}
    finder = {"arch": "YOLO", "Preprocess": [permute], "label_list": ["dog", "person", "cat"]}
    affine = {"type": "TopDownEvalAffine", "trainsize": [SIDE, SIDE], "use_udp": True}
    pointer = {"arch": "HRNet", "Preprocess": [affine, permute]}
    parts = {
        DETECTOR: export(folder / "finder", finder),
        KEYPOINT: export(folder / "pointer", pointer),
    }
    return ModelRef.composed("both", "keypoint", parts, settings)


class Works:
    def __init__(self, folder: Path, *, predict: int = 2) -> None:
        self.folder = folder
        (folder / "source").mkdir()
        self.model = composed(folder)
        self.scripted = Scripted()
        threads = Threads(fetch=2, decode=2, predict=predict, finish=2, upload=2)
        self.pipeline = Pipeline(models_of(self.scripted, replicas=predict), threads)

    def item(self, index: int, greys: Sequence[int]) -> ItemRef:
        picture = np.zeros((HIGH + 20, WIDE * MOST + 20, 3), np.uint8)
        for place, grey in enumerate(greys):
            picture[:HIGH, WIDE * place : WIDE * (place + 1)] = grey
        done, data = cv2.imencode(".png", picture)
        assert done
        key = f"{index:03d}.png"
        (self.folder / "source" / key).write_bytes(bytes(data))
        return ItemRef(index, key)

    def rows(self, items: Sequence[ItemRef], *, annotate: bool = False) -> list[ResultRow]:
        return self.run(items, annotate=annotate)[1]()

    def run(
        self, items: Sequence[ItemRef], *, annotate: bool = False
    ) -> tuple[Any, Callable[[], list[ResultRow]]]:
        places: dict[str, Any] = {
            "source": self.folder / "source",
            "output": self.folder / "output",
        }
        options = OPTIONS.but(annotate=annotate)
        unit = work_unit(self.model, options=options, task="keypoint", **places)
        run = new_run(unit)
        model = self.pipeline.models.acquire(self.model, PROFILE)

        def rows() -> list[ResultRow]:
            try:
                return self.pipeline.rows(run, items, model)
            finally:
                self.pipeline.models.release(model)

        return run, rows

    def close(self) -> None:
        self.pipeline.close()
        assert self.pipeline._memory.held == 0
        self.pipeline.models.close()


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Works]:
    works = Works(tmp_path)
    yield works
    works.close()


def crowds(works: Works, sizes: Sequence[int]) -> dict[ItemRef, list[int]]:
    """Pictures of so many people, all of whom have another grey while there are enough."""
    greys = iter(range(10**6))
    wanted = [[next(greys) % 200 + 20 for _ in range(size)] for size in sizes]
    return {works.item(index, of_one): of_one for index, of_one in enumerate(wanted)}


def assert_whole(rows: Sequence[ResultRow], pictures: Mapping[ItemRef, list[int]]) -> None:
    """Each picture has its own people with their own points, the best score first."""
    assert [row.item for row in rows] == list(pictures)
    for row, greys in zip(rows, pictures.values(), strict=True):
        assert row.state is ItemState.SUCCEEDED
        found = row.detections
        assert found is not None
        assert [found.labels[number] for number in found.class_ids] == ["person"] * len(greys)
        if not greys:
            assert found.keypoints is None
            continue
        assert found.xyxy[:, 0].tolist() == [WIDE * n for n in reversed(range(len(greys)))]
        assert found.keypoints is not None
        assert found.keypoints.shape == (len(greys), JOINTS, 3)
        assert found.keypoints[:, 0, 2] * 255 == pytest.approx(greys[::-1], abs=1e-3)


def test_crops_of_many_pictures_share_batches_and_go_back_to_their_own(works: Works) -> None:
    pictures = crowds(works, [0, 1, 12, 0, 3, 2, 7, 0] * 6)
    assert_whole(works.rows(list(pictures)), pictures)
    assert {len(batch) for batch in works.scripted.crops} == {BATCH}
    # Far fewer than a batch for each picture with people in it, the last of a picture half empty.
    least = sum(map(len, pictures.values())) / BATCH
    assert len(works.scripted.crops) < 1.5 * least


def test_more_people_than_the_pool_has_room_for_are_no_deadlock(works: Works) -> None:
    pictures = crowds(works, [20] * 40)
    assert_whole(works.rows(list(pictures)), pictures)


def test_without_people_the_second_network_is_never_asked(works: Works) -> None:
    pictures = crowds(works, [0] * 9)
    assert_whole(works.rows(list(pictures)), pictures)
    assert works.scripted.crops == []


def test_one_crop_that_is_refused_costs_its_picture_only(works: Works) -> None:
    pictures = crowds(works, [3] * 12)
    bad = next(iter(pictures.values()))[1]
    works.scripted.refused = frozenset({bad})
    first, *rest = works.rows(list(pictures))
    assert (first.reason or "").startswith("predict_failed: this one says no")
    assert_whole(rest, dict(list(pictures.items())[1:]))


def test_a_lack_of_memory_halves_the_network_that_met_it(works: Works) -> None:
    works.scripted.largest = 2
    pictures = crowds(works, [4] * 6)
    assert_whole(works.rows(list(pictures)), pictures)
    model = works.pipeline.models.acquire(works.model, PROFILE)
    sizes = {role: of.batch_size for role, of in model.members[0].networks.items()}
    # A detector whose pictures differ in shape takes one at a time, whatever the memory.
    assert sizes == {DETECTOR: 1, KEYPOINT: 2}
    assert model.halved_to == 2
    works.pipeline.models.release(model)


def test_pictures_are_drawn_and_the_source_is_let_go_of(works: Works) -> None:
    pictures = crowds(works, [2, 0, 5])
    rows = works.rows(list(pictures), annotate=True)
    assert_whole(rows, pictures)
    assert all(row.annotated for row in rows)
    assert not any(row.annotated for row in works.rows(list(pictures)))


def test_a_run_that_is_stopped_between_its_networks_leaves_nothing_behind(works: Works) -> None:
    gate = Gate()
    works.scripted.before = gate.wait
    pictures = crowds(works, [6] * 30)
    run, rows = works.run(list(pictures))
    errors: list[BaseException] = []

    def go() -> None:
        try:
            rows()
        except StoppedError as error:
            errors.append(error)

    thread = threading.Thread(target=go)
    thread.start()
    gate.until_reached()
    run.stop(Directive.HAND_BACK)
    gate.open()
    thread.join(PATIENCE)
    assert [type(error) for error in errors] == [StoppedError]
    assert run._in_flight == 0


def test_each_step_counts_as_work_of_its_stage(works: Works) -> None:
    run, rows = works.run(list(crowds(works, [2, 2])))
    rows()
    assert set(run.seconds) == {"advance", "decode", "fetch", "finish", "predict", "upload"}


def test_a_detector_that_knows_no_people_ends_the_job(tmp_path: Path) -> None:
    ref = composed(tmp_path, people=["rower"])
    with pytest.raises(FatalError, match="no class 'rower', only dog, person, cat"):
        models_of(Scripted(), replicas=1).acquire(ref, PROFILE)


def test_other_classes_can_be_people(tmp_path: Path) -> None:
    works = Works(tmp_path)
    parts = works.model.parts
    works.model = ModelRef.composed("dogs", "keypoint", parts, {"people": ["dog"]})
    [row] = works.rows([works.item(0, [100, 200])])
    assert row.detections is not None
    assert Counter(row.detections.class_ids.tolist()) == {0: 1}
    works.close()
