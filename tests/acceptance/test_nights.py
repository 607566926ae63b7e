"""A schedule over a dataset that changes from night to night: counts, reasons, complete views."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from store.locations import open_store, use_s3
from store.objects import ObjectStore
from store.s3.client import s3_client
from store.s3.options import S3Options
from tests.acceptance.fleet import Fleet
from tests.acceptance.nights import Night, compare_with_full, night
from tests.acceptance.pictures import encoded, picture, write_model
from tests.acceptance.prompt import Prompt
from tests.buckets.server import Server

ODD = [
    "with space.jpg",
    "東京, 'a\"b.jpg",
    "=1+1;<b>x/y.jpg",
    "upper/UPPER.png",
]
OF_FILES = ["new\nline.png", os.fsdecode(b"latin \xe9.png")]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Pictures in a folder or a bucket."""

    url: str
    store: ObjectStore

    @property
    def is_bucket(self) -> bool:
        return self.url.startswith("s3:")

    def put(self, name: str, seed: int) -> None:
        self.store.put(name, encoded(picture(seed), Path(name).suffix))

    def spoil(self, name: str) -> None:
        self.store.put(name, b"no picture")

    def remove(self, name: str) -> None:
        self.store.delete(name)

    def rename(self, name: str, new: str) -> None:
        if self.is_bucket:
            self.store.put(new, self.store.get(name))
            self.store.delete(name)
        else:
            (Path(self.url) / name).rename(Path(self.url) / new)

    @contextmanager
    def away(self) -> Iterator[None]:
        """While the block lasts there is nothing, as on a disk that is not mounted."""
        if not self.is_bucket:
            place = Path(self.url)
            hidden = place.rename(f"{place}-hidden")
            place.mkdir()
            yield
            place.rmdir()
            hidden.rename(place)
            return
        kept = {each.key: self.store.get(each.key) for each in self.store.list("")}
        for key in kept:
            self.store.delete(key)
        yield
        for key, data in kept.items():
            self.store.put(key, data)


class Schedule:
    """A schedule that does only what is new, fired by hand."""

    def __init__(self, prompt: Prompt, name: str, *words: str | Path) -> None:
        self.prompt = prompt
        self.name = name
        when = ("--cron", "0 2 * * *", "--tz", "Europe/Berlin", "--mode", "new-only")
        prompt.does("schedule", "add", name, *words, *when)

    def edit(self, *words: str | Path) -> None:
        self.prompt.does("schedule", "edit", self.name, *words)

    def night(self, code: int = 0, *, is_asked: bool = True) -> Night:
        said = self.prompt.run("schedule", "run", self.name, "--wait")
        assert said.code == code, said.err
        return night(self.prompt, self.name, is_asked=is_asked)


def fill(dataset: Dataset) -> Dataset:
    """Put ten pictures there, some with odd names, and a file that is none."""
    for number in range(6):
        dataset.put(f"{number}.jpg", number)
    for number, name in enumerate(ODD):
        dataset.put(name, 10 + number)
    dataset.spoil("broken.png")
    return dataset


def folder(path: Path) -> Dataset:
    path.mkdir()
    return Dataset(str(path), open_store(str(path)))


@pytest.fixture
def fleet(fleet: Fleet) -> Fleet:
    """One in which nothing is compacted by itself: that changes where rows lie at any moment."""
    fleet.settings |= {"COMPACT_PARTS": "0"}
    return fleet


@pytest.fixture(params=["folder", "bucket"])
def dataset(request: pytest.FixtureRequest, fleet: Fleet, tmp_path: Path) -> Iterator[Dataset]:
    """The pictures in a folder, and in a bucket, in which the results lie as well."""
    if request.param == "folder":
        data = fill(folder(tmp_path / "photos"))
        for number, name in enumerate(OF_FILES):
            data.put(name, 20 + number)
        yield data
        return
    server: Server = request.getfixturevalue("moto_server")
    bucket = f"nights-{uuid4().hex}"
    s3_client(server.options()).create_bucket(Bucket=bucket)
    fleet.settings |= {
        "S3_ENDPOINT_URL": server.url,
        "S3_REGION": "us-east-1",
        "S3_ADDRESSING": "path",
        "OBJECTS": f"s3://{bucket}/outputs",
    }
    use_s3(server.options())
    url = f"s3://{bucket}/photos"
    yield fill(Dataset(url, open_store(url)))
    use_s3(S3Options())


@pytest.mark.proof
def test_each_night_does_what_is_new_and_shows_all(calm_fleet: Fleet, tmp_path: Path) -> None:
    prompt = Prompt(calm_fleet)
    photos = fill(folder(tmp_path / "photos"))
    prompt.does("models", "add", "rowers", write_model(tmp_path / "rowers"))
    schedule = Schedule(prompt, "each-night", photos.url, "--model", "rowers")
    first = schedule.night(3, is_asked=False)

    photos.put("6.jpg", 6)
    photos.put("1.jpg", 31)
    photos.remove("2.jpg")
    photos.rename("3.jpg", "renamed.jpg")
    second = schedule.night()
    assert second.words == "7 unchanged, 2 new, 1 changed, 1 still quarantined, 2 gone"
    assert second.whys == {"1.jpg": "changed", "6.jpg": "new", "renamed.jpg": "new"}
    assert second.made_by(ODD[0]) == second.made_by("broken.png") == first.id
    compare_with_full(second)


@pytest.mark.proof
def test_a_year_of_nights(fleet: Fleet, dataset: Dataset, tmp_path: Path) -> None:
    fleet.start()
    prompt = Prompt(fleet)
    prompt.does("models", "add", "rowers", write_model(tmp_path / "rowers"))
    schedule = Schedule(prompt, "nightly", dataset.url, "--model", "rowers")
    extra = 0 if dataset.is_bucket else len(OF_FILES)
    same = f"{10 + extra} unchanged, 0 new, 0 changed, 1 still quarantined, 0 gone"
    first = schedule.night(3)

    # Added, changed, deleted, renamed.
    dataset.put("6.jpg", 6)
    dataset.put("1.jpg", 31)
    dataset.remove("2.jpg")
    dataset.rename("3.jpg", "renamed.jpg")
    second = schedule.night()
    whys = {"1.jpg": "changed", "6.jpg": "new"}
    if dataset.is_bucket:
        assert second.words == "7 unchanged, 1 moved, 1 new, 1 changed, 1 still quarantined, 1 gone"
        assert second.whys == whys
        assert second.made_by("renamed.jpg") == first.id
    else:
        assert second.words == "9 unchanged, 2 new, 1 changed, 1 still quarantined, 2 gone"
        assert second.whys == {**whys, "renamed.jpg": "new"}
    compare_with_full(second)

    # Nothing.
    empty = schedule.night()
    assert (empty.words, empty.status["state"], empty.whys) == (same, "succeeded", {})
    assert {row["job"] for row in empty.rows.values()} == {first.id, second.id}

    # Another threshold.
    schedule.edit("--threshold", "0.7")
    other = schedule.night(3)
    assert other.words == f"{same}; options changed: threshold -> all"
    assert set(other.whys.values()) == {"options changed: threshold"}
    assert {row.get("job", other.id) for row in other.rows.values()} == {other.id}

    # Another model under the name.
    changed = write_model(tmp_path / "better")
    (changed / "model.pdiparams").write_bytes(b"\1")
    prompt.does("models", "add", "rowers", changed, "--replace")
    better = schedule.night(3)
    assert better.words == f"{same}; model changed -> all"
    assert better.status["items"]["listed"] == 11 + extra

    # What was in quarantine is mended; a picture that was good is broken.
    dataset.put("broken.png", 7)
    dataset.spoil("5.jpg")
    mended = schedule.night(3)
    assert mended.words == f"{9 + extra} unchanged, 0 new, 2 changed, 0 gone"
    compare_with_full(mended)

    # Everything is gone, as if a disk was not mounted.
    with dataset.away():
        said = prompt.run("schedule", "run", "nightly", "--wait")
        assert said.code == 1
        assert "failed: nothing to do: " in said.err or "failed: there is no folder" in said.err
    back = schedule.night()
    assert back.words == same
    assert back.found == mended.found


@pytest.mark.proof
def test_nights_on_which_regatta_changes(fleet: Fleet, tmp_path: Path) -> None:
    """Other drawing options take no network, another numerics revision takes it for everything."""
    fleet.start(workers=0)
    worker = fleet.start_worker()
    prompt = Prompt(fleet)
    photos = fill(folder(tmp_path / "photos"))
    prompt.does("models", "add", "rowers", write_model(tmp_path / "rowers"))
    schedule = Schedule(prompt, "nightly", photos.url, "--model", "rowers")
    schedule.night(3)

    fleet.stop(worker)
    drawing = fleet.start_program("regatta", "worker", "--queues", "media", ENGINES="none")
    schedule.edit("--line-width", "3")
    redrawn = schedule.night()
    same = "10 unchanged, 0 new, 0 changed, 1 still quarantined, 0 gone"
    assert redrawn.words == f"{same}; options changed: line-width -> 10 drawn again"
    assert list(redrawn.whys.values()) == ["redrawn"] * 10
    fleet.stop(drawing)
    worker = fleet.start_worker()
    compare_with_full(redrawn)

    fleet.stop(worker)
    fleet.start_worker(STANDIN_NUMERICS="2")
    revised = schedule.night(3)
    assert revised.words == f"{same}; numerics revision changed -> all"
    compare_with_full(revised)


@pytest.mark.proof
def test_nights_between_which_results_are_compacted_retried_and_removed(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.start()
    prompt = Prompt(fleet)
    photos = fill(folder(tmp_path / "photos"))
    prompt.does("models", "add", "rowers", write_model(tmp_path / "rowers"))
    schedule = Schedule(prompt, "nightly", photos.url, "--model", "rowers")
    first = schedule.night(3)
    for number in range(6):
        photos.put(f"{number}.jpg", 50 + number)
    second = schedule.night()
    prompt.does("compact", second.id)
    moved = night(prompt, second.id)
    assert moved.found == second.found
    compaction = moved.made_by(ODD[0])
    assert compaction not in {first.id, second.id}
    assert prompt.run("retry", compaction).code == 2
    assert prompt.run("submit", photos.url, "--since-job", compaction).code == 2

    # The next night goes on from the compaction; the first run can go, and nothing else.
    photos.put("new.jpg", 9)
    photos.spoil("5.jpg")
    third = schedule.night(3)
    assert third.words == "9 unchanged, 1 new, 1 changed, 1 still quarantined, 0 gone"
    assert third.made_by(ODD[0]) == compaction
    compare_with_full(third)
    said = prompt.run("prune", "--schedule", "nightly", "--keep", "1", "--yes")
    assert said.code == 0, said.err
    assert not Path(first.output).exists()
    assert night(prompt, third.id).rows == third.rows
    assert night(prompt, second.id).found == second.found

    # A retry makes good what it can, and what was compacted of its rows no longer counts.
    prompt.does("compact", third.id)
    photos.put("5.jpg", 70)
    prompt.does("retry", third.id)
    fleet.until_ended(third.id)
    mended = night(prompt, third.id)
    assert mended.status["compaction"] is None
    assert [item for (item, _), row in mended.rows.items() if row["state"] != "succeeded"] == [
        "broken.png"
    ]
    fourth = schedule.night()
    assert fourth.words == "11 unchanged, 0 new, 0 changed, 1 still quarantined, 0 gone"
    compare_with_full(fourth)


@pytest.mark.proof
def test_nights_that_do_not_go_as_they_should(fleet: Fleet, tmp_path: Path) -> None:
    """One is cancelled, one of several disks is away, two schedules share a folder."""
    fleet.start()
    prompt = Prompt(fleet)
    photos, others = fill(folder(tmp_path / "photos")), folder(tmp_path / "others")
    others.put("a.jpg", 80)
    models = [prompt.does("models", "add", name, write_model(tmp_path / name)) for name in "mn"]
    assert len(models) == 2
    out = ("--output", tmp_path / "out")
    small = ("--shard-items", "2", "--batch-size", "1")
    several = (photos.url, others.url, "--model", "m", "--model", "n")
    schedule = Schedule(prompt, "several", *several, *out, *small)
    sharing = Schedule(prompt, "sharing", photos.url, "--model", "m", *out, "--limit", "4")
    first = schedule.night(3)
    assert (len(first.rows), len(sharing.night().rows)) == (24, 4)

    photos.store.put("gate.png", encoded(picture(5, mark="gate"), ".png"))
    for number in range(4):
        photos.put(f"z{number}.jpg", 90 + number)
    photos.remove("0.jpg")
    fleet.close_gate()
    prompt.does("schedule", "run", "several")
    fleet.until_held()
    assert prompt.run("schedule", "run", "several").code == 2  # its last run goes on
    prompt.does("cancel", "several")
    fleet.open_gate()
    job = json.loads(prompt.does("status", "several", "--format", "json"))["id"]
    fleet.until_ended(job)
    cancelled = night(prompt, job)
    assert len(cancelled.rows) < 2 * 16
    whole = schedule.night()
    assert ", 0 gone" in whole.words
    assert set(whole.whys.values()) == {"retried"}
    compare_with_full(whole)

    with others.away():
        said = prompt.run("schedule", "run", "several", "--wait")
        assert said.code == 1
        assert "others/' is empty: job " in said.err
    assert schedule.night().rows.keys() == whole.rows.keys()
    limited = sharing.night()
    assert limited.words == "3 unchanged, 1 new, 0 changed, 1 gone"
    assert len(limited.rows) == 4
