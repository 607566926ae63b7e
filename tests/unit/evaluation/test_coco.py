import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import UsageError
from evaluation.truth import Truth, Wanted
from evaluation.truths.coco import read_coco
from tests.unit.evaluation.conftest import coco

PLAIN = Wanted()


def one(**fields: Any) -> list[dict[str, Any]]:
    return [{"id": 5, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]} | fields]


def test_a_file_gives_pictures_classes_and_boxes(tmp_path: Path) -> None:
    truth = read_coco(coco(tmp_path), PLAIN)
    assert truth.names == ["a.jpg", "b.jpg"]
    assert truth.labels == ("boat", "buoy")
    assert truth.things.image.tolist() == [0, 0, 1]
    assert truth.things.label.tolist() == [0, 1, 0]
    assert truth.things.xywh[1].tolist() == [50, 10, 20, 20]
    assert truth.things.area.tolist() == [400, 400, 3600]
    assert truth.sizes is not None
    assert truth.sizes.tolist() == [[100, 80]] * 2


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = Path(coco(tmp_path))
    text = json.dumps(json.loads(path.read_text()), indent=1).replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert len(read_coco(str(path), PLAIN).things) == 3


def test_a_mask_gives_the_box_that_an_annotation_lacks(tmp_path: Path) -> None:
    polygon = [[10, 20, 40, 20, 40, 60]]
    truth = read_coco(coco(tmp_path, annotations=one(bbox=None, segmentation=polygon)), PLAIN)
    assert truth.things.xywh.tolist() == [[10, 20, 30, 40]]


def test_crowds_and_boxes_without_area_are_counted(tmp_path: Path) -> None:
    flat = one(bbox=[5, 5, 0, 9]) + one(bbox=[5, 5, -4, 9]) + one(iscrowd=1)
    notes = read_coco(coco(tmp_path, annotations=flat), PLAIN).notes
    assert "without width or height: 2;" in notes[0]
    assert "crowd regions: 1;" in notes[1]


IMAGES = [{"id": 1, "file_name": "a.jpg"}]


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"annotations": one(bbox=[1, 2, 3])}, r"annotation 1 \(id 5\) has no `bbox` of four"),
        ({"annotations": one(bbox=[1, 2, 3, "4"])}, "annotation 1 .* not numbers"),
        ({"annotations": one(bbox=[1, 2, 3, float("nan")])}, "annotation 1 .* not finite"),
        ({"annotations": one(bbox=[1, 2, 3, 1e999])}, "annotation 1 .* not finite"),
        ({"annotations": one(bbox=[1, 2, 3, 1e300])}, "annotation 1 .* beyond a billion pixels"),
        (
            {"annotations": one(bbox=None, segmentation=[[10**400] * 6])},
            "annotation 1 .* no polygons",
        ),
        ({"annotations": one() + one(image_id=99)}, "annotation 2 .* image_id 99, which `images`"),
        ({"annotations": one(category_id=2)}, "category_id 2, which `categories` lacks"),
        ({"annotations": one(image_id=[1])}, "`image_id` is no number"),
        ({"annotations": [*one(), {"id": 8}]}, r"annotation 2 \(id 8\) lacks `image_id`"),
        ({"annotations": [*one(), "x"]}, "annotation 2 lacks `image_id`"),
        ({"annotations": {}}, "`annotations` is not a list"),
        ({"info": one()[0]}, "annotations stand outside"),
        ({"categories": [{"id": 1}]}, "category 1 has no `name`"),
        ({"categories": [{"id": n, "name": "x"} for n in (1, 2)]}, "two categories"),
        ({"images": [{"id": 1}]}, "image 1 has no `file_name`"),
        ({"images": IMAGES * 2}, "has the id 1, and so has another"),
        ({"images": [*IMAGES, {"id": 2, "file_name": "a.jpg"}]}, "lists the picture 'a.jpg' twice"),
        ({"images": [{"file_name": "a.jpg"}]}, "has no `id`"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, parts: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        read_coco(coco(tmp_path, **parts), PLAIN)
    assert "truth.json" in str(refused.value)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e300, 10**400])
@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        (Wanted(keypoints=True), lambda n: {"keypoints": [n, 1, 2]}),
        (Wanted(texts=True), lambda n: {"text": "a", "segmentation": [[n, 1, 2, 3, 4, 5]]}),
        (Wanted(texts=True), lambda n: {"name": {"text": "a", "quad": [[n, 1], [2, 3], [4, 5]]}}),
        (Wanted(segments=True), lambda n: {"segmentation": [[n, 1, 2, 3, 4, 5]]}),
    ],
)
def test_numbers_that_no_place_has_are_refused_wherever_they_stand(
    tmp_path: Path, wanted: Wanted, fields: Any, number: float
) -> None:
    with pytest.raises(UsageError, match=r"annotation 1 \(id 5\)"):
        read_coco(coco(tmp_path, annotations=one(**fields(number))), wanted)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not JSON: line 1, column 1"),
        (b'{"images": [,]}', "is not JSON: line 1, column 13"),
        (b"[1, 2]", "the file is not an object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": 1, "a": 2}', "the key 'a' twice"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "cannot be read"),
        (b'{\n"a": "\xff"}', "line 2: byte 8 is not UTF-8"),
    ],
)
def test_a_file_that_is_no_such_json_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "truth.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says):
        read_coco(str(path), PLAIN)


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        ([[1, 2, 3, 4]], "fewer than three corners"),
        ({"size": [80, 100], "counts": [1, 2]}, "do not add up"),
        ({"size": [8, 8], "counts": [64]}, "its size is"),
        ({"counts": [1]}, "cannot be read"),
        ({"size": [80, 100], "counts": "\x01"}, "cannot be read"),
    ],
)
def test_a_mask_that_does_not_fit_is_named(tmp_path: Path, mask: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_coco(coco(tmp_path, annotations=one(segmentation=mask)), Wanted(segments=True))


ODD = (
    None,
    True,
    -1,
    1e999,
    2**70,
    "",
    "x",
    [],
    [[]],
    [1, "x"],
    [[1, 2, 3, 4, 5, 6]],
    {},
    {"a": 1},
)
FULL = {
    **one(area=12, iscrowd=0, keypoints=[1, 2, 2], num_keypoints=1)[0],
    "segmentation": [[1, 2, 4, 2, 4, 6]],
    "text": "Wal",
    "name": {"text": "Wal", "quad": [[1, 2], [4, 2], [4, 6], [1, 6]]},
}
SIZED = {"id": 1, "file_name": "a.jpg", "width": 100, "height": 80}


@pytest.mark.parametrize("field", [*FULL, *(f"image {name}" for name in SIZED)])
def test_whatever_a_field_holds_the_file_is_read_or_refused(tmp_path: Path, field: str) -> None:
    for odd in ODD:
        annotation, image = dict(FULL), dict(SIZED)
        name = field.removeprefix("image ")
        (annotation if name == field else image)[name] = odd
        path = coco(tmp_path, annotations=[annotation], images=[image])
        for wanted in (PLAIN, Wanted(segments=True), Wanted(keypoints=True), Wanted(texts=True)):
            with contextlib.suppress(UsageError):
                assert isinstance(read_coco(path, wanted), Truth)
