from pathlib import Path
from typing import Any

import pytest

from core.errors import UsageError
from core.option import options_of
from core.options import SEVERAL, JobOptions, ModelRef, RowOptions
from core.request import OPTIONS, JobRequest
from core.slicing import Slicing
from core.sources import SourceKind
from core.tasks import TASKS, TRAITS
from registry.chosen_model import ChosenModel
from registry.heeding import effective, heeded, traits_of
from vision.exports.exported import ExportedModel
from vision.exports.facts import facts_of
from worker.networks.by_task import detector_of
from worker.networks.detector import MaskDetector, MaskOnlyDetector

NO_FILE = Path("/m")
SAID: dict[str, Any] = {
    "threshold": 0.4,
    "slice": (640, 640),
    "polygons": True,
    "alpha": 0.3,
    "background": (1, 2, 3),
    "detector": "finder",
    "classes": ("person",),
    "only_found": True,
    "redact": ("person",),
    "labels": False,
    "scores": False,
    "boxes": True,
    "line_width": 3,
    "font_scale": 2.0,
}
"""The options that not every model heeds."""


def export(task: str, arch: str = "", *, threshold: float = 0.0, **config: Any) -> ExportedModel:
    return ExportedModel(
        "m", task, arch, ("person",), (), NO_FILE, NO_FILE, NO_FILE, config, threshold
    )


def alone(name: str, task: str, arch: str = "", **more: Any) -> ChosenModel:
    ref = ModelRef(name, task, name, "/m")
    return ChosenModel(ref, {"": facts_of(export(task, arch, **more))})


def composed(name: str, task: str, **parts: ExportedModel) -> ChosenModel:
    refs = {role: ModelRef(role, part.task, role, "/m") for role, part in parts.items()}
    facts = {role: facts_of(part) for role, part in parts.items()}
    return ChosenModel(ModelRef.composed(name, task, refs), facts)


FINDER = export("detect", "YOLO", threshold=0.6)
MODELS = {
    "detect": alone("detect", "detect", "YOLO", threshold=0.45),
    "masks": alone("masks", "detect", "RCNN", mask=True),
    "solo": alone("solo", "detect", "SOLOv2"),
    "pico": alone("pico", "detect", "PicoDet", mask=True),
    "classify": alone("classify", "classify", threshold=0.5),
    "segment": alone("segment", "segment"),
    "panoptic": alone("panoptic", "panoptic"),
    "matting": alone("matting", "matting"),
    "ocr": composed("ocr", "ocr", text_det=export("text_det"), text_rec=export("text_rec")),
    "top-down": alone("top-down", "keypoint", "HRNet"),
    "bottom-up": alone("bottom-up", "keypoint", "HigherHRNet"),
    "people": composed("people", "keypoint", detector=FINDER, keypoint=export("keypoint")),
}
LABELLED = {"labels", "scores", "font_scale", "only_found", "redact"}
BOXES = {"threshold", "slice", "boxes", "line_width", "classes", *LABELLED}
POSES = {"threshold", "boxes", "line_width", *LABELLED}
HEEDED = {
    "detect": BOXES,
    "masks": {*BOXES, "alpha"},
    "solo": {*BOXES, "alpha"},
    "pico": BOXES,
    "classify": {"threshold", "classes", "scores", "font_scale", "only_found"},
    "segment": {"polygons", "alpha", "classes", *LABELLED},
    "panoptic": {"alpha", "line_width", "classes", *LABELLED},
    "matting": {"background"},
    "ocr": {"threshold", "only_found", "redact", "line_width"},
    "top-down": {*POSES, "slice", "detector"},
    "bottom-up": POSES,
    "people": {*POSES, "slice"},
}
DRAWN_AS_USUAL = {
    "jpeg_quality": 90,
    "annotate": True,
    "picture_format": "jpg",
}
"""What holds for the pictures of any model."""


def test_the_table_covers_every_task_and_option() -> None:
    assert {model.ref.task for model in MODELS.values()} == set(TASKS) <= TRAITS.keys()
    assert {key for key, each in OPTIONS.items() if each.heeded_by is not None} == SAID.keys()
    known = frozenset().union(*(each.heeded_by or () for each in OPTIONS.values()))
    assert known <= TRAITS.keys()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("option", SAID)
def test_what_was_typed_and_nothing_heeds_is_refused(name: str, option: str) -> None:
    request = JobRequest.of("/s/", name, **{option: SAID[option]})
    if option in HEEDED[name]:
        assert heeded(request, [MODELS[name]], [SourceKind.FOLDER]) == (request, [])
        return
    with pytest.raises(UsageError) as caught:
        heeded(request, [MODELS[name]], [SourceKind.FOLDER])
    task = MODELS[name].ref.task
    flag = OPTIONS[option].flag
    assert str(caught.value).startswith(f"{flag} means nothing to {name!r} (task {task}): it is ")
    assert caught.value.hint == f"leave {flag} out"


@pytest.mark.parametrize("name", MODELS)
def test_what_was_inherited_and_nothing_heeds_is_dropped_and_named(name: str) -> None:
    request = JobRequest(("/s/",), {"model": (name,), **SAID}, frozenset(SAID))
    kept, dropped = heeded(request, [MODELS[name]], [SourceKind.FOLDER])
    assert kept.said.keys() == {"model", *HEEDED[name]}
    assert [why.split()[0] for why in dropped] == [
        each.flag for key, each in OPTIONS.items() if key in SAID.keys() - HEEDED[name]
    ]


def test_the_message_names_the_tasks_that_heed_it() -> None:
    models = [MODELS["detect"], MODELS["ocr"]]
    with pytest.raises(UsageError) as caught:
        heeded(JobRequest.of("/s/", "detect", "ocr", alpha=0.3), models, [SourceKind.FOLDER])
    assert str(caught.value) == (
        "--alpha means nothing to 'detect' (task detect) and 'ocr' (task ocr): it is for models "
        "of segment, panoptic, detect with masks"
    )


def test_one_of_several_models_is_enough() -> None:
    request = JobRequest.of("/s/", "detect", "matting", background=(1, 2, 3), threshold=0.4)
    models = [MODELS["detect"], MODELS["matting"]]
    assert heeded(request, models, [SourceKind.FOLDER]) == (request, [])


@pytest.mark.parametrize(
    ("said", "source", "message"),
    [
        ({"alpha": 0.3, "annotate": False}, SourceKind.FOLDER, "--alpha is about pictures"),
        ({"jpeg_quality": 9, "annotate": False}, SourceKind.FOLDER, "--jpeg-quality is about pic"),
        ({"redact": ("person",), "annotate": False}, SourceKind.FOLDER, "--redact is about pic"),
        (
            {"jpeg_quality": 9, "picture_format": "png"},
            SourceKind.FOLDER,
            "--jpeg-quality means nothing to PNG",
        ),
        ({"overlap": 0.3}, SourceKind.FOLDER, "--overlap says how tiles .* no --slice"),
        ({"merge": "nms"}, SourceKind.FOLDER, "--merge says how tiles"),
        ({"since": "7d"}, SourceKind.CSV, "--since needs a listing"),
        ({"min_size": 5}, SourceKind.LINES, "--min-size needs a listing"),
        ({"hidden": True}, SourceKind.LINES, "--hidden needs a folder or a glob"),
        ({"hidden": True}, SourceKind.FILE, "--hidden needs a folder or a glob"),
    ],
)
def test_options_that_hang_on_others(said: Any, source: SourceKind, message: str) -> None:
    models = [MODELS["masks"]]
    with pytest.raises(UsageError, match=message):
        heeded(JobRequest.of("/s", "m", **said), models, [source])
    _, dropped = heeded(JobRequest(("/s",), said, frozenset(said)), models, [source])
    assert len(dropped) == 1


def test_lists_that_may_state_sizes_heed_them() -> None:
    request = JobRequest.of("/s", "m", min_size=5)
    assert heeded(request, [MODELS["detect"]], [SourceKind.JSONL]) == (request, [])


def test_one_of_several_sources_is_enough() -> None:
    request = JobRequest.of(("/s", "/t.txt"), "m", since="7d", min_size=5, hidden=True)
    both = [SourceKind.FOLDER, SourceKind.LINES]
    assert heeded(request, [MODELS["detect"]], both) == (request, [])


def test_detectors_with_masks_are_those_that_the_worker_takes_for_them() -> None:
    for arch, config in (("YOLO", {}), ("RCNN", {"mask": True}), ("SOLOv2", {})):
        network = detector_of(export("detect", arch, **config))
        gives_masks = isinstance(network, MaskDetector | MaskOnlyDetector)
        assert gives_masks is ("masks" in traits_of(alone("m", "detect", arch, **config)))


@pytest.mark.parametrize(
    ("name", "threshold"),
    [("detect", 0.45), ("classify", 0.5), ("people", 0.6), ("bottom-up", 0.0), ("ocr", 0.5)],
)
def test_what_holds_is_the_models_own_threshold(name: str, threshold: float) -> None:
    options = JobOptions.of(max_pixels=1, max_item_bytes=1, jpeg_quality=90)
    model = MODELS[name]
    assert effective(model, options)[name]["threshold"] == threshold
    assert effective(model, options.but(threshold=0.9))[name]["threshold"] == 0.9


def test_what_holds_for_each_of_several_models() -> None:
    options = JobOptions.of(
        max_pixels=1, max_item_bytes=1, jpeg_quality=90, slicing=Slicing(64, 32)
    )
    members = (MODELS["detect"], MODELS["matting"])
    ref = ModelRef.composed("both", SEVERAL, {one.ref.name: one.ref for one in members})
    assert effective(ChosenModel(ref, {}, members), options) == {
        "detect": {
            "task": "detect",
            "threshold": 0.45,
            "slice": {"width": 64, "height": 32, "overlap": 0.2, "merge": "nmm"},
            "classes": None,
            **DRAWN_AS_USUAL,
            "only_found": False,
            "redact": None,
            "labels": True,
            "scores": True,
            "boxes": None,
            "line_width": None,
            "font_scale": 1.0,
        },
        "matting": {"task": "matting", **DRAWN_AS_USUAL, "background": (120, 255, 155)},
    }
    sampled = effective(MODELS["matting"], options.but(sample=1000))["matting"]
    assert sampled["annotate"] == "sample:1000"
    undrawn = effective(MODELS["matting"], options.but(annotate=False))["matting"]
    assert undrawn == {"task": "matting", "annotate": False}
    assert [each.key for each in options_of(RowOptions)] == [
        "threshold",
        "slice",
        "polygons",
        "classes",
    ]
