"""What was drawn at inference is drawn again from the results: from a row and its mask file."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.items import ItemRef
from core.options import DrawOptions, JobOptions, ModelRef
from core.profile import NetworkProfile
from core.states import ItemState
from core.tasks import CLASSIFY, DETECT, DETECTOR, KEYPOINT, OCR, SEGMENT, TASKS, TEXT_DET, TEXT_REC
from predictions.answer import Answer, Legend
from sample.shipped import MODELS
from sample.world import new_world
from store.parts import ResultRow, decode_rows, encode_rows
from tests.dense_nets import (
    export_blob_masks,
    export_blob_matting,
    export_blob_panoptic,
    export_blob_people,
)
from tests.scenes import draw_blobs, paint
from vision.draw.by_task import DRAWERS, cut_out, decode_mask_of, draw, encode_mask_of
from vision.encode import encode_jpeg
from vision.exports.export import read_export
from worker.engines.paddle.engine import load_predictor, offers
from worker.networks.by_task import network_of
from worker.recipes.by_model import recipe_of
from worker.recipes.recipe import WHOLE
from worker.ways.rehearsal import Rehearsal

PROFILE = NetworkProfile(offers()[0].offer, batch_size=1)
OPTIONS = JobOptions.of(max_pixels=10**9, max_item_bytes=10**9, jpeg_quality=90, polygons=True)
DRAWN: list[DrawOptions] = [
    OPTIONS.drawing,
    replace(OPTIONS.drawing, alpha=0.2, background=(9, 99, 199)),
]
DENSE = {
    "masks": export_blob_masks,
    "matting": export_blob_matting,
    "panoptic": export_blob_panoptic,
    "people": export_blob_people,
}
SHIPPED: dict[str, tuple[str, dict[str, str]]] = {
    "boats": (DETECT, {WHOLE: DETECT}),
    "weather": (CLASSIFY, {WHOLE: CLASSIFY}),
    "areas": (SEGMENT, {WHOLE: SEGMENT}),
    "rowers": (KEYPOINT, {DETECTOR: DETECT, KEYPOINT: KEYPOINT}),
    "names": (OCR, {TEXT_DET: TEXT_DET, TEXT_REC: TEXT_REC}),
}


@dataclass(frozen=True)
class Model:
    """A model, and pictures in which it finds something, but for the last."""

    task: str
    rehearsal: Rehearsal
    predictors: Mapping[str, Any]
    pictures: list[NDArray[np.uint8]]

    def answers(self) -> Iterator[tuple[NDArray[np.uint8], Answer]]:
        for image in self.pictures:
            answer = self.rehearsal.take(image, self.predictors).answer
            assert answer is not None
            yield image, answer


def made(
    ref: ModelRef, folders: Mapping[str, Path], pictures: list[NDArray[np.uint8]], **rows: Any
) -> Model:
    exports = {role: read_export(folder) for role, folder in folders.items()}
    networks = {role: network_of(one) for role, one in exports.items()}
    predictors = {
        role: load_predictor(one.model_file, one.params_file, profile=PROFILE)
        for role, one in exports.items()
    }
    rehearsal = Rehearsal(recipe_of(ref, networks), networks, OPTIONS.but(**rows))
    return Model(ref.task, rehearsal, predictors, pictures)


def alone(folder: Path) -> ModelRef:
    return ModelRef("m", read_export(folder).task, "", "")


@pytest.fixture(params=[*SHIPPED, *DENSE])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Model:
    if request.param in SHIPPED:
        task, parts = SHIPPED[request.param]
        folders = {role: MODELS[part].directory for role, part in parts.items()}
        refs = {role: ModelRef(role, part, "", "") for role, part in parts.items()}
        ref = ModelRef("m", task, "", "")
        if WHOLE not in parts:
            people = {"people": ["rower"]} if task == KEYPOINT else {}
            ref = ModelRef.composed("m", task, refs, people)
        pictures = [*(new_world(seed).scene().image for seed in (3, 9)), paint((64, 48), [])]
        return made(ref, folders, pictures)
    export: Any = DENSE[request.param]
    folder = tmp_path / request.param
    export(folder, "RCNN") if request.param == "masks" else export(folder)
    pictures = [draw_blobs(3)[0], draw_blobs(5)[0], paint((1, 1), [])]
    return made(alone(folder), {WHOLE: folder}, pictures, threshold=0.1)


@dataclass(frozen=True)
class Kept:
    """What a job keeps of an answer: its row in a part, its mask file, its model's legend."""

    part: bytes
    mask: bytes | None
    legend: str

    @classmethod
    def of(cls, task: str, answer: Answer) -> "Kept":
        row = ResultRow(
            item=ItemRef(0, "a.png"),
            task=task,
            model="m",
            state=ItemState.SUCCEEDED,
            detections=answer.detections,
            classes=answer.classes,
            segments=answer.segments,
        )
        mask = None if answer.mask is None else encode_mask_of(task, answer.mask)
        return cls(encode_rows([row]), mask, json.dumps(answer.legend.to_json()))

    def read(self) -> tuple[str, Answer]:
        [row] = decode_rows(self.part)
        mask = None if self.mask is None else decode_mask_of(row.task, self.mask)
        return row.task, row.answer(mask, Legend.from_json(json.loads(self.legend)))


def test_pictures_are_drawn_again_from_results(model: Model) -> None:
    touched = 0
    for image, answer in model.answers():
        task, again = Kept.of(model.task, answer).read()
        assert task == model.task
        for options in DRAWN:
            drawn = draw(model.task, image, answer, options)
            redrawn = draw(task, image, again, options)
            assert encode_jpeg(redrawn, 90) == encode_jpeg(drawn, 90)
            assert np.array_equal(redrawn, drawn)
            touched += drawn.shape != image.shape or bool((drawn != image).any())
        if DRAWERS[task].cut_out is not None:
            assert again.mask is not None
            assert answer.mask is not None
            assert cut_out(task, image, again.mask) == cut_out(task, image, answer.mask)
    assert touched >= 2 * len(DRAWN)


def test_each_task_is_drawn_here() -> None:
    tried = {task for task, _ in SHIPPED.values()} | {"matting", "panoptic"}
    assert tried == set(TASKS)
