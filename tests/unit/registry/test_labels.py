"""What people mean by the labels that they type."""

import pytest

from core.errors import UsageError
from core.export_facts import ExportFacts
from core.options import ModelRef
from core.request import OPTIONS, JobRequest
from registry.chosen_model import ChosenModel
from registry.labels import labelled, labels_of, meant_labels

COCO = ("person", "car", "traffic light", "dog")
FISH = ("tench, Tinca tinca", "goldfish", "great white shark, white shark")


def model(name: str, task: str, *labels: str) -> ChosenModel:
    return ChosenModel(ModelRef(name, task, name, "/m"), {"": ExportFacts(task, labels)})


DETECTOR = model("coco", "detect", *COCO)
POSES = ChosenModel(
    ModelRef.composed("poses", "keypoint", {}, {"people": ["rower"]}),
    {
        "detector": model("finder", "detect", "boat", "rower").exports[""],
        "keypoint": model("points", "keypoint").exports[""],
    },
)


def meant(option: str, *asked: str, models: tuple[ChosenModel, ...] = (DETECTOR,)) -> list[str]:
    return list(meant_labels(OPTIONS[option], asked, models))


def test_labels_are_separated_by_commas_or_said_one_by_one() -> None:
    assert meant("classes", "person,traffic light") == ["person", "traffic light"]
    assert meant("classes", " person , car", "dog", "car,") == ["person", "car", "dog"]


def test_a_label_with_a_comma_of_its_own_is_one() -> None:
    fish = model("fish", "classify", *FISH)
    asked = ("tench, Tinca tinca", "goldfish")
    assert meant("classes", *asked, models=(fish,)) == list(asked)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("persn", "did you mean 'person'?"),
        ("Person", "did you mean 'person'?"),
        ("light", "did you mean 'traffic light'?"),
        ("xyz", "there are person, car, traffic light, dog"),
        ("class 7", "there are person"),
    ],
)
def test_an_unknown_label_is_refused_with_near_ones(word: str, hint: str) -> None:
    for option in ("classes", "redact"):
        with pytest.raises(UsageError) as caught:
            meant(option, f"car,{word}")
        assert str(caught.value) == f"--{option}: 'coco' knows no {word!r}"
        assert (caught.value.hint or "").startswith(hint)


def test_classes_without_names_go_by_their_numbers() -> None:
    nameless = model("map", "segment")
    assert meant("classes", "class 7", models=(nameless,)) == ["class 7"]
    with pytest.raises(UsageError) as caught:
        meant("classes", "road", models=(nameless,))
    assert caught.value.hint == "its classes have no names: write 'class 7' for number 7"


def test_one_of_several_models_is_enough() -> None:
    fish = model("fish", "classify", *FISH)
    assert meant("classes", "goldfish,dog", models=(DETECTOR, fish)) == ["goldfish", "dog"]
    with pytest.raises(UsageError, match="'coco' knows no 'goldfish'"):
        meant("redact", "goldfish", models=(DETECTOR, fish))  # its rows don't say where


def test_poses_have_their_detectors_people_and_lines_are_text() -> None:
    assert labels_of(POSES) == ("rower",)
    assert meant("redact", "rower", models=(POSES,)) == ["rower"]
    with pytest.raises(UsageError, match="knows no 'boat'"):
        meant("redact", "boat", models=(POSES,))
    assert meant("redact", "text", models=(model("ocr", "ocr"),)) == ["text"]


def test_what_is_to_be_blurred_must_be_kept_in_the_rows() -> None:
    request = JobRequest.of("/s/", "coco", classes=("car",), redact=("person",))
    with pytest.raises(UsageError, match="--classes leaves 'person' out"):
        labelled(request, [DETECTOR])
    both = labelled(request.but(classes=("car,person",)), [DETECTOR])
    assert both.said["classes"] == ("car", "person")


def test_nothing_is_no_label() -> None:
    with pytest.raises(UsageError, match="--redact names no label"):
        meant("redact", " , ")
