"""Labels and names that nobody should have, in everything that prints or asks about results."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.fleet import Fleet
from tests.acceptance.pictures import encoded, picture, write_model
from tests.acceptance.prompt import Prompt
from tests.acceptance.terminal import Said

LABELS = (
    '<img src=x onerror="alert(1)">, "a"',
    "=HYPERLINK(\"http://x\";'a'),\nsecond line",
    "</script><b>東京 ' or 1=1; --</b>\t]]>",
)
NAMES = ("=cmd|' /C calc'!A0.png", "<b>x,y\nz</b>.png", "plain.png")


@pytest.fixture(scope="module")
def asked(calm_fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Prompt, str]:
    """A job whose model has hostile labels, over pictures with hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    model = write_model(folder / "model")
    config = yaml.safe_load((model / "infer_cfg.yml").read_text())
    config["label_list"] = list(LABELS)
    (model / "infer_cfg.yml").write_text(yaml.safe_dump(config))
    for number, name in enumerate(NAMES):
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(picture(number + 1), ".png"))
    prompt = Prompt(calm_fleet)
    out = folder / "out"
    said = prompt.run(
        "submit", folder / "data", "--model", model, "--name", "hostile", "--output", out, "--watch"
    )
    assert said.code == 0, said.err
    return prompt, said.out.strip()


def boxes(prompt: Prompt, job: str) -> list[tuple[str, str]]:
    """Each box's item and label, as the rows have them."""
    rows = map(json.loads, prompt.does("results", job, "--format", "ndjson").splitlines())
    return sorted((row["item"], one["label"]) for row in rows for one in row["detections"])


def of_csv(text: str) -> list[tuple[str, str]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    for row in rows:
        for value in row.values():
            assert not value.startswith(("=", "+", "@", "\t", "\r")), value
    return sorted((row["item"].removeprefix("'"), row["label"].removeprefix("'")) for row in rows)


def test_text_arrives_as_it_is_and_as_nothing_else(
    asked: tuple[Prompt, str], tmp_path: Path
) -> None:
    prompt, job = asked
    found = boxes(prompt, job)
    assert {label for _, label in found} == set(LABELS)
    assert {item for item, _ in found} == set(NAMES)
    sql = "select item, label from detections"
    assert of_csv(prompt.does("results", job, "--format", "csv")) == found
    assert of_csv(prompt.does("query", job, sql, "--format", "csv")) == found
    rows = map(json.loads, prompt.does("query", job, sql, "--format", "ndjson").splitlines())
    assert sorted((row["item"], row["label"]) for row in rows) == found

    prompt.does("export", job, tmp_path / "a.csv", "--to", "csv")
    assert of_csv((tmp_path / "a.csv").read_text()) == found
    prompt.does("export", job, tmp_path / "coco.json", "--to", "coco", "--images", "leave")
    coco = json.loads((tmp_path / "coco.json").read_text())
    assert [one["name"] for one in coco["categories"]] == list(LABELS)
    prompt.does("export", job, tmp_path / "cvat.xml", "--to", "cvat", "--images", "leave")
    tree = ET.parse(tmp_path / "cvat.xml").getroot()  # noqa: S314 - our own file
    drawn = [(image.get("name"), box.get("label")) for image in tree.iter("image") for box in image]
    assert sorted(drawn) == found
    prompt.does("export", job, tmp_path / "yolo", "--to", "yolo")
    names = yaml.safe_load((tmp_path / "yolo" / "data.yaml").read_text())["names"]
    assert list(names.values() if isinstance(names, Mapping) else names) == list(LABELS)
    prompt.does("export", job, tmp_path / "voc", "--to", "voc")
    for file in (tmp_path / "voc" / "Annotations").rglob("*.xml"):
        ET.parse(file)  # noqa: S314 - our own file

    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps(truth_of(coco)))
    (tmp_path / "eval").mkdir()
    prompt.does("eval", job, "--truth", truth, "--output", tmp_path / "eval", "--format", "json")
    report = Path(prompt.does("report", job).strip().removeprefix("file://"))
    for html in (report, *(tmp_path / "eval").glob("*.html")):
        text = html.read_text()
        for evil in ("<img src=x", "</script><b>", "<b>x,y"):
            assert evil not in text, (html, evil)


def truth_of(coco: Mapping[str, Any]) -> dict[str, Any]:
    """A truth file with everything that one should not have."""
    known = [dict(one, bbox=list(one["bbox"])) for one in coco["annotations"]]
    top = max(one["id"] for one in known)
    first = coco["images"][0]["id"]
    odd = [
        {"bbox": [1, 1, -5, 4]},
        {"bbox": [1, 1, 0, 0]},
        {"bbox": [-1000, -1000, 5000, 5000], "iscrowd": 1},
        {"bbox": [3, 3, 9, 9], "category_id": 99},
        {"bbox": [3, 3, 9, 9], "image_id": 9999},
    ]
    more = [
        {"id": top + n, "image_id": first, "category_id": 1, "iscrowd": 0, **one}
        for n, one in enumerate(odd, start=1)
    ]
    images = [*coco["images"], {"id": 9999, "file_name": "nowhere.png", "width": 9, "height": 9}]
    categories = [*coco["categories"], {"id": 99, "name": "unknown <b>"}]
    return {"images": images, "annotations": [*known, *more], "categories": categories}


def test_a_truth_with_everything_odd_is_measured_and_said(
    asked: tuple[Prompt, str], tmp_path: Path
) -> None:
    prompt, job = asked
    prompt.does("export", job, tmp_path / "coco.json", "--to", "coco", "--images", "leave")
    coco = json.loads((tmp_path / "coco.json").read_text())
    truth = tmp_path / "truth.json"
    (tmp_path / "eval").mkdir()

    def measured(content: object) -> Said:
        truth.write_text(content if isinstance(content, str) else json.dumps(content))
        words = ("eval", job, "--truth", truth, "--output", tmp_path / "eval", "--format", "json")
        return prompt.run(*words)

    said = measured(truth_of(coco))
    assert said.code == 0, said.err
    notes = " ".join(json.loads(said.out)["notes"])
    assert "nowhere.png" in notes
    assert "unknown <b>" in notes

    for broken in (
        "no JSON",
        "[]",
        {"images": [], "annotations": [], "categories": []},
        {**coco, "annotations": [{**coco["annotations"][0], "bbox": [1, 2, None, 4]}]},
        {**coco, "annotations": [{**coco["annotations"][0], "image_id": 12345}]},
        {**coco, "annotations": [{**coco["annotations"][0], "category_id": 12345}]},
        json.dumps({**coco, "annotations": [{**coco["annotations"][0], "bbox": [1, 2, 3, 1e999]}]}),
    ):
        said = measured(broken)
        assert said.code == 2, said.err
        assert "Traceback" not in said.err


EVIL = (
    "copy (select 1) to '{place}/written'",
    "select * from read_text('/etc/passwd')",
    "attach '{place}/written.db'",
    "from '/etc/passwd'",
    "load httpfs",
    "set lock_configuration = false",
    "insert into items select * from items",
)

GREEDY = {
    "select sum(a.range * b.range) from range(10000000) a, range(10000000) b": "--timeout",
    "with recursive t as (select 1 n union all select n+1 from t) select max(n) from t": (
        "--timeout"
    ),
    "select list(range) from range(1000000000)": "--memory",
}
LIMITS = {"--timeout": ("2", "longer than 2"), "--memory": ("1GB", "1,000 MB")}


def test_a_query_reads_its_views_and_nothing_else(
    asked: tuple[Prompt, str], tmp_path: Path
) -> None:
    """`tests/unit/cli/test_query.py` knows more that it must not do."""
    check_harmless(*asked, tmp_path, EVIL[:2])


@pytest.mark.proof
def test_a_query_writes_nothing_and_ends(asked: tuple[Prompt, str], tmp_path: Path) -> None:
    check_harmless(*asked, tmp_path, EVIL[2:])
    prompt, job = asked
    for sql, limit in GREEDY.items():
        value, words = LIMITS[limit]
        said = prompt.run("query", job, sql, limit, value)
        assert (said.code, said.out) == (2, ""), said
        assert words in said.err


def check_harmless(prompt: Prompt, job: str, place: Path, evil: Sequence[str]) -> None:
    for sql in evil:
        said = prompt.run("query", job, sql.format(place=place))
        assert (said.code, said.out) == (2, ""), sql
    assert not list(place.iterdir())
