"""A schedule over a dataset that changes from night to night: counts, reasons, complete views."""

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

    def night(self, code: int = 0) -> Night:
        said = self.prompt.run("schedule", "run", self.name, "--wait")
        assert said.code == code, said.err
        return night(self.prompt, self.name)


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


@pytest.fixture(params=["folder", "bucket"])
def dataset(
    request: pytest.FixtureRequest, fleet: Fleet, tmp_path: Path
) -> Iterator[Dataset]:
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


def test_each_night_does_what_is_new_and_shows_all(calm_fleet: Fleet, tmp_path: Path) -> None:
    prompt = Prompt(calm_fleet)
    photos = fill(folder(tmp_path / "photos"))
    prompt.does("models", "add", "rowers", write_model(tmp_path / "rowers"))
    schedule = Schedule(prompt, "each-night", photos.url, "--model", "rowers")
    first = schedule.night(3)

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
    fleet.start(workers=0)
    worker = fleet.start_worker()
    prompt = Prompt(fleet)
    prompt.does("models", "add", "rowers", write_model(tmp_path / "rowers"))
    schedule = Schedule(prompt, "nightly", dataset.url, "--model", "rowers")
    extra = 0 if dataset.is_bucket else len(OF_FILES)
    first = schedule.night(3)

    # Added, changed, deleted, renamed.
    dataset.put("6.jpg", 6)
    dataset.put("1.jpg", 31)
    dataset.remove("2.jpg")
    dataset.rename("3.jpg", "renamed.jpg")
    second = schedule.night()
    if dataset.is_bucket:
        assert second.words == "7 unchanged, 1 moved, 1 new, 1 changed, 1 still quarantined, 1 gone"
        assert second.whys == {"1.jpg": "changed", "6.jpg": "new"}
        assert second.made_by("renamed.jpg") == first.id
    else:
        assert second.words == "9 unchanged, 2 new, 1 changed, 1 still quarantined, 2 gone"
        assert second.whys == {"1.jpg": "changed", "6.jpg": "new", "renamed.jpg": "new"}
    compare_with_full(second)

    # Nothing.
    empty = schedule.night()
    assert empty.words == f"{10 + extra} unchanged, 0 new, 0 changed, 1 still quarantined, 0 gone"
    assert (empty.status["state"], empty.whys) == ("succeeded", {})
    assert empty.rows.keys() == second.rows.keys()
    assert {row["job"] for row in empty.rows.values()} == {first.id, second.id}

    # Another threshold.
    schedule.edit("--threshold", "0.7")
    other = schedule.night(3)
    assert other.words.endswith("options changed: threshold -> all"), other.words
    assert set(other.whys.values()) == {"options changed: threshold"}
    assert {row.get("job", other.id) for row in other.rows.values()} == {other.id}
    compare_with_full(other)

    # Another model under the name.
    changed = write_model(tmp_path / "better")
    (changed / "model.pdiparams").write_bytes(b"\1")
    prompt.does("models", "add", "rowers", changed, "--replace")
    better = schedule.night(3)
    assert better.words.endswith("model changed -> all"), better.words
    assert better.status["items"]["listed"] == 11 + extra
    compare_with_full(better)

    # Lines of another width: nothing that could run a network is up.
    fleet.stop(worker)
    drawing = fleet.start_program("regatta", "worker", "--queues", "media", ENGINES="none")
    schedule.edit("--line-width", "3")
    redrawn = schedule.night()
    print(redrawn.words)
    assert set(redrawn.whys.values()) == {"redrawn"}
    assert len(redrawn.whys) == 10 + extra
    fleet.stop(drawing)
    worker = fleet.start_worker()
    compare_with_full(redrawn)

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
    assert night(prompt, mended.id).rows == mended.rows
    back = schedule.night()
    assert back.words == f"{10 + extra} unchanged, 0 new, 0 changed, 1 still quarantined, 0 gone"
    assert _without_job(back) == _without_job(mended)

    # Networks run in another way.
    fleet.stop(worker)
    fleet.start_worker(STANDIN_NUMERICS="2")
    revised = schedule.night(3)
    print(revised.words)
    assert "numerics revision changed" in revised.words
    compare_with_full(revised)


def _without_job(one: Night) -> set[tuple[str, str]]:
    return {(name, str(row["detections"])) for (name, _), row in one.rows.items()}
