from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import UsageError
from registry.cards import doubts, model_card
from vision.exports.exported import ExportedModel


def export(task: str, labels: tuple[str, ...], folder: Path = Path("/m")) -> ExportedModel:
    files = {
        f"{name}_file": folder / file
        for name, file in (("config", "c.yml"), ("model", "m.json"), ("params", "m.pdiparams"))
    }
    return ExportedModel("boats", task, "Some", labels, ops=(), config={}, **files)


def array(*shape: int, dtype: str = "float32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape)}


def test_a_classifiers_class_list_must_be_its_networks() -> None:
    assert doubts(export("classify", ("a", "b")), [array(1, 2)]) == []
    for labels, said in ((("a",), "too short: it names 1 .* scores 2"), (("a",) * 3, "too long")):
        with pytest.raises(UsageError, match=said) as caught:
            doubts(export("classify", labels), [array(1, 2)])
        assert "label_list" in (caught.value.hint or "")


@pytest.mark.parametrize("outputs", [[], [array(1, 8, 7, 7)], [array(1)]])
def test_what_is_no_classifier(outputs: list[dict[str, Any]]) -> None:
    with pytest.raises(UsageError, match="a classifier gives a score for each class"):
        doubts(export("classify", ("a",)), outputs)


def test_a_detector_gives_rows_of_six() -> None:
    for rows in (0, 71):
        assert doubts(export("detect", ("a",)), [array(rows, 6), array(1, dtype="int32")]) == []
    for outputs in ([], [array(1, 80, 3598)], [array(5, 6, dtype="int32")]):
        with pytest.raises(UsageError, match="a detector gives rows"):
            doubts(export("detect", ("a",)), outputs)


@pytest.mark.parametrize("arch", ["PicoDet", "SOLOv2"])
def test_detectors_that_give_no_rows_are_left_to_the_worker(arch: str) -> None:
    assert doubts(replace(export("detect", ("a",)), arch=arch), [array(1, 80, 3598)]) == []


def test_a_recognizers_dictionary_must_be_its_networks() -> None:
    labels = ("", "a", "b", " ")
    assert doubts(export("text_rec", labels), [array(1, 40, 4)]) == []
    for outputs in ([], [array(1, 40, 97)], [array(1, 4)]):
        with pytest.raises(UsageError, match="4 characters"):
            doubts(export("text_rec", labels), outputs)


def test_a_segmentations_missing_names_are_doubtful() -> None:
    scores = [array(1, 19, 64, 64)]
    assert doubts(export("segment", ()), scores) == []
    assert doubts(export("segment", ("a",) * 19), scores) == []
    assert doubts(export("segment", ("a",)), [array(1, 64, 64, dtype="int32")]) == []
    [doubt] = doubts(export("segment", ("a",) * 2), scores)
    assert "2 of 19 classes" in doubt


def test_tasks_that_are_unknown_here_are_not_doubted() -> None:
    assert doubts(export("dance", ()), []) == []


def test_a_card_of_a_model_that_was_not_tried(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('{"base_code":{"magic":"pir","version":1}}')
    card = model_card(export("detect", ("a", "b"), tmp_path), "s3://models/boats/", None)
    assert card["labels"] == ["a", "b"]
    assert (card["source"], card["export_version"]) == ("s3://models/boats/", "PIR 1")
    assert (card["checked_with"], card["outputs"], card["doubts"]) == (None, None, [])
