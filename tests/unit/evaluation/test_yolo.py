from pathlib import Path

import pytest

from core.errors import UsageError
from evaluation.truths.yolo import read_yolo


def written(folder: Path, labels: dict[str, str], **others: str) -> str:
    for name, text in ({f"labels/{n}.txt": t for n, t in labels.items()} | others).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder)


NAMES = {"classes.txt": "boat\r\nbuoy\r\n"}


def test_boxes_and_polygons_are_read(tmp_path: Path) -> None:
    labels = {"day/a": "0 0.5 0.5 0.2 0.4\r\n\r\n1 0 0 1 0 1 1\n", "b": ""}
    truth = read_yolo(written(tmp_path, labels, **NAMES))
    assert truth.names == ["b", "day/a"]
    assert truth.labels == ("boat", "buoy")
    assert truth.things.image.tolist() == [1, 1]
    assert truth.things.xywh.round(6).tolist() == [[0.4, 0.3, 0.2, 0.4], [0, 0, 1, 1]]


@pytest.mark.parametrize("names", ["names: [boat, buoy]", "names:\n  0: boat\n  1: buoy\n"])
def test_names_may_stand_beside_the_labels(tmp_path: Path, names: str) -> None:
    folder = written(tmp_path, {"a": "1 0.5 0.5 1 1"}, **{"data.yaml": names})
    assert read_yolo(f"{folder}/labels").labels == ("boat", "buoy")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("0 0.5 0.5 0.2 0.4 0.9", "6 columns: the last is a confidence"),
        ("0 0.5 0.5", "3 columns"),
        ("0 0.5 0.5 0.2 0.4 0.1 0.1 0.1", "8 columns"),
        ("0 120 0.5 0.2 0.4", "120 is outside of 0 to 1"),
        ("0 0.5 0.5 -0.2 0.4", "-0.2 is outside"),
        ("0 nan 0.5 0.2 0.4", "nan is outside"),
        ("2 0.5 0.5 0.2 0.4", "class 2 has no name"),
        ("boat 0.5 0.5 0.2 0.4", "invalid literal"),
    ],
)
def test_a_line_that_does_not_fit_is_named(tmp_path: Path, line: str, says: str) -> None:
    folder = written(tmp_path, {"a": f"0 0.5 0.5 1 1\n{line}\n"}, **NAMES)
    with pytest.raises(UsageError, match=rf"labels/a\.txt, line 2: {says}"):
        read_yolo(folder)


@pytest.mark.parametrize(
    ("others", "says"),
    [
        ({}, "does not name its classes"),
        ({"data.yaml": "names: 3"}, "has no names"),
        ({"data.yaml": "names: {1: a}"}, "without gaps"),
        ({"data.yaml": "names: [a, a]"}, "a name twice"),
        ({"data.yaml": "names: [a"}, "cannot be read"),
    ],
)
def test_classes_have_to_have_names(tmp_path: Path, others: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_yolo(written(tmp_path / "x", {"a": ""}, **others))


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no label files"):
        read_yolo(written(tmp_path, {}, **NAMES))
