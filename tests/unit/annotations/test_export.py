import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from pycocotools.coco import COCO

from annotations.export import Exported, Wish, export_job
from annotations.formats import FORMATS
from annotations.images import Images
from annotations.narrowing import Thresholds
from annotations.regions import Shape
from annotations.target import ABOUT
from core.errors import FatalError, UsageError
from core.keys import key_to_text
from registry.chosen_model import describe
from sample.labels import LABELS as KNOWN
from sample.shipped import DETECTOR
from store.results import ResultRow
from store.tables import Job
from tests import found
from tests.bench import MODEL, OPTIONS, Bench
from tests.found import HEIGHT, KEYS, LABELS, WIDTH, ended_job
from vision.draw.panoptic import decode_panoptic
from vision.draw.segments import decode_mask
from vision.rle import runs_of

Export = Callable[..., Exported]


@pytest.fixture
def export(bench: Bench, tmp_path: Path) -> Export:
    """Exports a job to `out`, a folder or file."""

    def run(job: Job, form: str, out: str = "out", **wishes: Any) -> Exported:
        wish = Wish(FORMATS[form], **{"images": Images.LEAVE, **wishes})
        if not wish.form.pictures:
            wish = Wish(FORMATS[form], **wishes)
        return export_job(bench.db, job, str(tmp_path / out), wish)

    return run


def tree(path: Path) -> ET.Element:
    return ET.parse(path).getroot()  # noqa: S314 - it is our own


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def clipped(rows: list[ResultRow]) -> dict[str, list[tuple[str, list[float]]]]:
    """Return what of each item's boxes is in its picture, with their labels."""
    limits = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
    there: dict[str, list[tuple[str, list[float]]]] = {}
    for row in rows:
        if row.detections is not None:
            inside = np.clip(row.detections.xyxy, 0, limits)
            named = zip(row.detections.names, inside.tolist(), strict=True)
            there[row.item.key] = [
                (name, box) for name, box in named if box[2] > box[0] and box[3] > box[1]
            ]
    return there


def test_coco_has_every_box_clipped_and_numbers_from_1(
    bench: Bench, export: Export, tmp_path: Path
) -> None:
    rows = found.hostile()
    exported = export(ended_job(bench, rows, parts=3), "coco")
    data = read(tmp_path / "out/annotations.json")
    truth = clipped(rows)
    assert (exported.counts.pictures, exported.counts.unfinished) == (len(KEYS) + 1, 1)
    assert (exported.counts.clipped, exported.counts.empty) == (2, 1)
    assert [one["id"] for one in data["images"]] == list(range(1, len(KEYS) + 2))
    assert [one["file_name"] for one in data["images"][:-1]] == list(map(key_to_text, KEYS))
    assert [one["id"] for one in data["annotations"]] == list(range(1, exported.counts.objects + 1))
    assert [(one["id"], one["name"]) for one in data["categories"]] == list(enumerate(LABELS, 1))
    for image, key in zip(data["images"], [*KEYS, "beyond.jpg"], strict=True):
        boxes = [one for one in data["annotations"] if one["image_id"] == image["id"]]
        assert [LABELS[one["category_id"] - 1] for one in boxes] == [name for name, _ in truth[key]]
        for one, (_, (x1, y1, x2, y2)) in zip(boxes, truth[key], strict=True):
            assert one["bbox"] == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=0.011)
            assert one["area"] == pytest.approx(one["bbox"][2] * one["bbox"][3], abs=0.5)
            assert (one["iscrowd"], 0 < one["score"] <= 1) == (0, True)


def test_results_are_detections_of_the_images_beside_them(
    bench: Bench, export: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = ended_job(bench, found.hostile())
    export(job, "coco", as_results=True)
    truth = COCO(str(tmp_path / "out/images.json"))
    detections = truth.loadRes(str(tmp_path / "out/results.json"))
    assert len(detections.getAnnIds()) == sum(map(len, clipped(found.hostile()).values()))
    assert not truth.getAnnIds()
    export(job, "coco", "list.json", as_results=True)
    assert read(tmp_path / "list.json") == read(tmp_path / "out/results.json")
    capsys.readouterr()  # pycocotools prints


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools
def test_masks_keep_their_pixels_and_outlines_their_area(
    bench: Bench, export: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = found.masked()
    job = ended_job(bench, rows)
    export(job, "coco", "runs.json")
    export(job, "coco", "rings.json", shape=Shape.OUTLINES)
    runs, rings = COCO(str(tmp_path / "runs.json")), COCO(str(tmp_path / "rings.json"))
    detections = rows[0].detections
    assert detections is not None
    assert detections.masks is not None
    for number, mask in enumerate(detections.masks, 1):
        [exact], [outlined] = runs.loadAnns(number), rings.loadAnns(number)
        pixels = mask.decode()
        assert isinstance(exact["segmentation"]["counts"], str)
        assert (runs.annToMask(exact) == pixels).all()
        assert exact["area"] == pixels.sum()
        assert (rings.annToMask(outlined) | pixels == rings.annToMask(outlined)).all()
    assert [len(one["segmentation"]) for one in rings.loadAnns([1, 2])] == [1, 2]
    assert rings.loadAnns(1)[0]["area"] == 30 * 20  # its hole is filled
    capsys.readouterr()


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools
def test_an_object_without_a_pixel_has_no_empty_outline(
    bench: Bench, export: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = runs_of(np.zeros((HEIGHT, WIDTH), bool))
    rows = [found.row(0, "a.jpg", found.boxes([[1, 1, 9, 5]], [0], masks=(nothing,)))]
    export(ended_job(bench, rows), "coco", "rings.json", shape=Shape.OUTLINES)
    [one] = COCO(str(tmp_path / "rings.json")).loadAnns([1])
    assert (one["area"], "segmentation" in one) == (32, False)
    capsys.readouterr()


def test_joints_that_are_not_seen_are_not_labelled(
    bench: Bench, export: Export, tmp_path: Path
) -> None:
    job = ended_job(bench, found.posed(), task="keypoint")
    export(job, "coco")
    export(job, "yolo", "yolo")
    data = read(tmp_path / "out/annotations.json")
    [person] = data["categories"]
    assert person["keypoints"][0] == "nose"
    assert [1, 2] in person["skeleton"]
    first, second = data["annotations"]
    assert (first["num_keypoints"], second["num_keypoints"]) == (17, 15)
    assert second["keypoints"][9:15] == [0] * 6
    assert second["keypoints"][:3] == [14, 6, 2]
    line = (tmp_path / "yolo/labels/people.txt").read_text().splitlines()[1].split()
    assert len(line) == 5 + 3 * 17
    assert line[5:8] == ["0.218750", "0.125000", "2"]
    about = yaml.safe_load((tmp_path / "yolo/data.yaml").read_text())
    assert about["kpt_shape"] == [17, 3]
    assert about["flip_idx"][:3] == [0, 2, 1]


def test_texts_are_polygons_with_what_they_say(
    bench: Bench, export: Export, tmp_path: Path
) -> None:
    job = ended_job(bench, found.read(), task="ocr", model={**MODEL.to_json(), "task": "ocr"})
    export(job, "coco")
    export(job, "cvat", "cvat.xml")
    first, second = read(tmp_path / "out/annotations.json")["annotations"]
    assert first["segmentation"] == [[4, 4, 30, 6, 29, 15, 3, 13]]
    assert second["utf8_string"] == "=1+1\n車,;"
    lines = tree(tmp_path / "cvat.xml").findall("image/polygon")
    assert [one.findtext("attribute[@name='text']") for one in lines] == [
        '<hull> & "mast"',
        "=1+1\n車,;",
    ]


def test_yolo_has_shares_backgrounds_and_a_file_for_each_picture(
    bench: Bench, export: Export, tmp_path: Path
) -> None:
    rows = found.hostile()
    exported = export(ended_job(bench, rows), "yolo")
    files = sorted((tmp_path / "out/labels").rglob("*.txt"))
    assert len(files) == exported.counts.pictures
    assert (tmp_path / "out/labels/a/x.txt").read_text() == ""
    about = yaml.safe_load((tmp_path / "out/data.yaml").read_text("utf-8"))
    assert about["names"] == dict(enumerate(LABELS))
    [(name, box)] = clipped(rows)["a/x.png"]
    number, *shares = (tmp_path / "out/labels/a/x_png.txt").read_text().split()
    x, y, w, h = (float(share) for share in shares)
    assert LABELS[int(number)] == name
    assert [(x - w / 2) * WIDTH, (y - h / 2) * HEIGHT] == pytest.approx(box[:2], abs=0.001)
    assert [(x + w / 2) * WIDTH, (y + h / 2) * HEIGHT] == pytest.approx(box[2:], abs=0.001)
    lines = "".join(file.read_text() for file in files).split()
    assert all(0 <= float(share) <= 1 for share in lines if "." in share)


def test_yolo_outlines_join_an_objects_parts(bench: Bench, export: Export, tmp_path: Path) -> None:
    job = ended_job(bench, found.masked())
    export(job, "yolo")
    export(job, "yolo", "boxes", boxes_only=True)
    lines = (tmp_path / "out/labels/masks.txt").read_text().splitlines()
    ring = np.array(lines[1].split()[1:], float).reshape(-1, 2) * (WIDTH, HEIGHT)
    assert {tuple(point) for point in ring.round().tolist()} >= {(2, 2), (12, 12), (60, 44)}
    assert len((tmp_path / "boxes/labels/masks.txt").read_text().splitlines()[1].split()) == 5


def test_voc_is_xml_in_whole_pixels(bench: Bench, export: Export, tmp_path: Path) -> None:
    rows = found.hostile()
    export(ended_job(bench, rows), "voc")
    truth = clipped(rows)
    listed = (tmp_path / "out/ImageSets/Main/default.txt").read_text("utf-8").splitlines()
    assert len(listed) == len(truth)
    for stem, key in zip(listed, truth, strict=True):
        root = tree(tmp_path / f"out/Annotations/{stem}.xml")
        objects = root.findall("object")
        assert [one.findtext("name") for one in objects] == [name for name, _ in truth[key]]
        for one, (_, box) in zip(objects, truth[key], strict=True):
            corners = [int(one.findtext(f"bndbox/{at}") or "") for at in ("xmin", "ymin")]
            ends = [int(one.findtext(f"bndbox/{at}") or "") for at in ("xmax", "ymax")]
            assert [at - 1 for at in corners] == pytest.approx(box[:2], abs=0.5)
            assert ends == pytest.approx(box[2:], abs=0.5)
    beyond = tree(tmp_path / "out/Annotations/beyond.xml")
    assert [one.text for one in beyond.findall("object/truncated")] == ["1", "1", "0"]


def test_maps_of_classes(bench: Bench, export: Export, tmp_path: Path) -> None:
    model = {**MODEL.to_json(), "task": "segment"}
    job = ended_job(bench, found.segmented(bench), task="segment", model=model)
    export(job, "coco")
    data = read(tmp_path / "out/annotations.json")
    assert [one["category_id"] for one in data["annotations"]] == [2, 3]  # no background
    assert [one["area"] for one in data["annotations"]] == [400, 400]
    assert data["annotations"][1]["bbox"] == [40, 20, 20, 20]
    export(job, "voc", "voc")
    export(job, "voc", "kept", kept=(LABELS[2],), renamed={LABELS[2]: "x"})
    source = bench.output("abc").get("masks/map.png")
    assert (tmp_path / "voc/SegmentationClass/map.png").read_bytes() == source
    kept = decode_mask((tmp_path / "kept/SegmentationClass/map.png").read_bytes())
    assert (kept == np.where(decode_mask(source) == 2, 0, 255)).all()
    export(job, "yolo", "yolo")
    assert len((tmp_path / "yolo/labels/map.txt").read_text().splitlines()) == 2


def test_panoptic_segments_are_what_their_map_says(
    bench: Bench, export: Export, tmp_path: Path
) -> None:
    model = {**MODEL.to_json(), "task": "panoptic"}
    job = ended_job(bench, found.panoptic(bench), task="panoptic", model=model)
    assert export(job, "coco").counts.objects == 3
    export(job, "coco", "things", kept=(LABELS[0],))
    for folder, count in (("out", 3), ("things", 2)):
        data = read(tmp_path / folder / "panoptic.json")
        [entry] = data["annotations"]
        ids = decode_panoptic((tmp_path / folder / "panoptic" / entry["file_name"]).read_bytes())
        things = {one["id"]: one["isthing"] for one in data["categories"]}
        assert len(entry["segments_info"]) == count
        assert {*np.unique(ids).tolist()} - {0} == {one["id"] for one in entry["segments_info"]}
        for one in entry["segments_info"]:
            y, x = np.nonzero(ids == one["id"])
            assert one["area"] == len(x)
            size = [int(np.ptp(x)) + 1, int(np.ptp(y)) + 1]
            assert one["bbox"] == [int(x.min()), int(y.min()), *size]
            assert things[one["category_id"]] == int(one["id"] < 3000)


def test_label_studio_has_per_cent_of_the_picture(
    bench: Bench, export: Export, tmp_path: Path
) -> None:
    rows = found.hostile()
    export(ended_job(bench, rows), "labelstudio")
    tasks = read(tmp_path / "out/tasks.json")
    config = tree(tmp_path / "out/config.xml")
    assert [one.get("value") for one in config.findall("RectangleLabels/Label")] == list(LABELS)
    for task, (key, there) in zip(tasks, clipped(rows).items(), strict=True):
        assert "annotations" not in task
        assert task["data"]["item"] == key_to_text(key)
        assert "\n" not in task["data"]["image"]
        [prediction] = task["predictions"]
        for region, (name, (x1, y1, x2, y2)) in zip(prediction["result"], there, strict=True):
            value = region["value"]
            assert value["rectanglelabels"] == [name]
            percent = [100 * x1 / 64, 100 * y1 / 48, 100 * (x2 - x1) / 64, 100 * (y2 - y1) / 48]
            said = [value[at] for at in ("x", "y", "width", "height")]
            assert said == pytest.approx(percent, abs=1e-6)


def test_pictures_have_their_best_class_and_others_that_score_enough(
    bench: Bench, export: Export, tmp_path: Path
) -> None:
    model = {**MODEL.to_json(), "task": "classify"}
    job = ended_job(bench, found.classified(), task="classify", model=model)
    export(job, "cvat", "best.xml")
    export(job, "cvat", "more.xml", thresholds=Thresholds(0.05))
    export(job, "labelstudio")
    for name, count in (("best.xml", 1), ("more.xml", 2)):
        tags = tree(tmp_path / name).findall("image/tag")
        assert [tag.get("label") for tag in tags] == [LABELS[2], LABELS[0]][:count]
    [task] = read(tmp_path / "out/tasks.json")
    assert task["predictions"][0]["result"][0]["value"] == {"choices": [LABELS[2]]}


def test_cvat_has_tracks_where_objects_have_numbers(
    bench: Bench, export: Export, tmp_path: Path
) -> None:
    rows = [
        found.row(
            frame, f"{frame}.jpg", found.boxes([[frame, 2, 9, 9]], [3], track_ids=np.array([7]))
        )
        for frame in (0, 1, 3)
    ]
    rows[2:2] = [found.row(2, "2.jpg", found.boxes([[1, 1, 5, 5]], [0]))]
    export(ended_job(bench, rows), "cvat")
    root = tree(tmp_path / "out/annotations.xml")
    [track] = root.findall("track")
    assert track.get("label") == LABELS[3]
    shown = [(one.get("frame"), one.get("outside")) for one in track.findall("box")]
    assert shown == [("0", "0"), ("1", "0"), ("2", "1"), ("3", "0"), ("4", "1")]
    assert [len(image.findall("box")) for image in root.findall("image")] == [0, 0, 1, 0]


def test_cvat_masks_are_runs_within_their_boxes(
    bench: Bench, export: Export, tmp_path: Path
) -> None:
    export(ended_job(bench, found.masked()), "cvat", shape=Shape.RUNS)
    mask = tree(tmp_path / "out/annotations.xml").find("image/mask")
    assert mask is not None
    runs = [int(text) for text in (mask.get("rle") or "").split(",")]
    pixels = np.repeat(np.arange(len(runs)) % 2, runs).reshape(20, 30)
    assert (mask.get("left"), mask.get("top"), mask.get("width")) == ("10", "5", "30")
    assert pixels.sum() == 30 * 20 - 100
    assert not pixels[5:15, 10:20].any()


def test_lines_and_tables_hold_every_row(bench: Bench, export: Export, tmp_path: Path) -> None:
    rows = found.hostile()
    job = ended_job(bench, rows)
    for form, name in (("csv", "x.csv"), ("jsonl", "x.jsonl"), ("parquet", "tables")):
        assert export(job, form, name).counts.objects == len(rows)
    export(job, "csv", "raw.csv", raw=True)
    for name, raw in (("x.csv", False), ("raw.csv", True)):
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        assert len(lines) == sum(max(1, len(row.detections or ())) for row in rows)
        formulas = [one for one in lines if "cmd" in one["label"] or one["item"] == "=1+1.jpg"]
        assert formulas
        assert any(re.match("=", one["label"] + one["item"]) for one in formulas) == raw
    said = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text("utf-8").splitlines()]
    assert [one["item"] for one in said] == [key_to_text(row.item.key) for row in rows]
    assert said[0]["uri"] == "/nowhere/a/x.jpg"
    labels = pq.read_table(tmp_path / "tables/detections.parquet")["label"].to_pylist()
    assert set(labels) == set(LABELS)


def test_the_whole_class_list_is_there_and_slips_are_told(
    bench: Bench, export: Export, tmp_path: Path
) -> None:
    rows = [found.row(0, "a.jpg", found.boxes([[1, 1, 9, 9]], [3], KNOWN))]
    job = ended_job(bench, rows, model=describe(DETECTOR).to_json() | {"name": "m"})
    exported = export(job, "coco")
    assert exported.classes == list(KNOWN)
    assert exported.doubts == []
    export(job, "coco", "few.json", kept=("buoy,gull",), renamed={"buoy": "mark"})
    data = read(tmp_path / "few.json")
    assert [(one["id"], one["name"]) for one in data["categories"]] == [(1, "mark"), (2, "gull")]
    assert [one["category_id"] for one in data["annotations"]] == [1]
    for wish in ({"kept": ("buyo",)}, {"thresholds": Thresholds(0, {"buyo": 0.5})}):
        with pytest.raises(UsageError, match="no class 'buyo'"):
            export(job, "coco", "slip.json", **wish)
    gone = export(ended_job(bench, rows, job_id="gone"), "coco", "gone.json")
    assert "are not there any more" in gone.doubts[0]
    assert gone.classes == ["class 0", "class 1", "class 2", "buoy"]


def test_pictures_are_linked_copied_or_left(bench: Bench, export: Export, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    rows = [found.row(nr, key, found.boxes([], [])) for nr, key in enumerate(KEYS)]
    for key in KEYS[1:]:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path, "JPEG")
    job = ended_job(bench, rows, source=f"{folder}/")
    assert export(job, "yolo", "linked", images=Images.LINK).counts.unread == 1
    assert export(job, "voc", "copied", images=Images.COPY).counts.unread == 1
    links = [path for path in (tmp_path / "linked/images").rglob("*") if path.is_symlink()]
    assert len(links) == len(KEYS)
    assert sum(link.exists() for link in links) == len(KEYS) - 1
    copies = [path for path in (tmp_path / "copied/JPEGImages").rglob("*") if path.is_file()]
    assert len(copies) == len(KEYS) - 1
    for link in links:
        labels = tmp_path / "linked/labels" / link.relative_to(tmp_path / "linked/images")
        assert labels.with_suffix(".txt").is_file()
    names = [one["file_name"] for one in _images(export, job, tmp_path)]
    assert all((tmp_path / "coco/images" / name).is_symlink() for name in names)


def _images(export: Export, job: Job, folder: Path) -> list[dict[str, Any]]:
    export(job, "coco", "coco", images=Images.LINK)
    images: list[dict[str, Any]] = read(folder / "coco/annotations.json")["images"]
    return images


def test_only_an_export_is_replaced(bench: Bench, export: Export, tmp_path: Path) -> None:
    job = ended_job(bench, found.hostile())
    export(job, "yolo")
    with pytest.raises(UsageError, match="is an export already"):
        export(job, "voc")
    export(job, "voc", overwrite=True)
    assert not (tmp_path / "out/labels").exists()
    assert read(tmp_path / "out" / ABOUT)["format"] == "voc"
    precious = tmp_path / "precious"
    precious.mkdir()
    export(job, "coco", "precious", overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").touch()
    with pytest.raises(UsageError, match="no export"):
        export(job, "coco", "other", overwrite=True)
    export(job, "csv", "x.csv")
    with pytest.raises(UsageError, match="is a file already"):
        export(job, "csv", "x.csv")
    export(job, "csv", "x.csv", overwrite=True)


def test_a_mount_point_is_refused_before_anything_is_read(
    bench: Bench, export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "volume").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "volume")
    with pytest.raises(UsageError, match="is a mount point") as refused:
        export(ended_job(bench, found.hostile()), "coco", "volume")
    assert refused.value.hint == "name a folder in it"
    export(bench.read_job("abc"), "coco", "volume/set")


def test_sources_of_a_job_that_blurs_are_said_to_be_unblurred(
    bench: Bench, export: Export, tmp_path: Path
) -> None:
    options = OPTIONS.to_json() | {"redact": ["person"]}
    job = ended_job(bench, found.hostile(), options=options)
    assert "unblurred" not in " ".join(export(job, "coco", "left").doubts)
    assert "unblurred" in export(job, "coco", "linked", images=Images.LINK).doubts[-1]


def test_what_fails_leaves_nothing(bench: Bench, export: Export, tmp_path: Path) -> None:
    job = ended_job(bench, found.hostile(), parts=2)
    export(job, "coco", "old.json")
    before = (tmp_path / "old.json").read_bytes()
    bench.output("abc").put("results/part-000001.parquet", b"damaged")
    names = sorted(path.name for path in tmp_path.iterdir())
    for form, out in (("yolo", "out"), ("coco", "new.json"), ("coco", "old.json")):
        with pytest.raises(FatalError, match="Parquet"):
            export(job, form, out, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert (tmp_path / "old.json").read_bytes() == before


def test_several_models_need_a_name(bench: Bench, export: Export) -> None:
    member = MODEL.to_json()
    several = {**member, "name": "m,n", "task": "several", "settings": {}}
    several["parts"] = {name: {**member, "name": name} for name in ("m", "n")}
    job = ended_job(bench, found.hostile(), model=several)
    with pytest.raises(UsageError, match="several models") as told:
        export(job, "coco")
    assert told.value.hint == "--model names one: m, n"
    assert export(job, "coco", "m", model="m").counts.objects > 0
    assert export(job, "coco", "n", model="n").counts.pictures == 0


@pytest.mark.parametrize(
    ("form", "wishes", "words"),
    [
        ("yolo", {"task": "classify"}, "no place for what a model for classify says"),
        ("cvat", {"task": "panoptic"}, "no place"),
        ("coco", {"task": "segment", "thresholds": Thresholds(0.5)}, "shares are no scores"),
        ("yolo", {"as_results": True}, "--coco-results"),
        ("voc", {"shape": Shape.RUNS}, "--masks means nothing"),
        ("csv", {"images": Images.COPY}, "holds no pictures"),
        ("coco", {"raw": True}, "--raw"),
    ],
)
def test_what_means_nothing_is_refused(
    bench: Bench, export: Export, form: str, wishes: dict[str, Any], words: str
) -> None:
    model = {**MODEL.to_json(), "task": wishes.pop("task", "detect")}
    job = ended_job(bench, found.hostile(), model=model)
    with pytest.raises(UsageError, match=words):
        export(job, form, **wishes)
