import json
import os
from pathlib import Path

import pytest

from cli.show.size import readable_size
from core.states import JobState
from store import references
from store.tables import Job
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta

DONE = JobState.SUCCEEDED


@pytest.fixture
def jobs(bench: Bench) -> list[str]:
    """Three jobs that have ended, the oldest first, each with an output; and one that runs."""
    names = ["one", "two", "three"]
    for name in names:
        bench.job(name, [2], state=DONE, finished_at=bench.clock.now)
        bench.output(name).put("results/part-000000.parquet", b"12345")
        bench.output(name).put("annotated/a.jpg", b"123")
        bench.clock.now += 3600
    bench.job("runs", [1])
    return names


def left(regatta: Regatta) -> list[str]:
    return [job["id"] for job in json.loads(regatta("jobs", "--format", "json").stdout)]


def refer(bench: Bench, job: str, other: str) -> None:
    bench.db.write(lambda s: references.add(s, job, other, references.REDRAWS))


def test_a_job_goes_and_its_output_stays_unless_asked(
    bench: Bench, regatta: Regatta, jobs: list[str]
) -> None:
    assert "its output stays" in regatta("jobs", "rm", "one").stderr
    assert left(regatta) == ["runs", "three", "two"]
    assert bench.output("one").exists("annotated/a.jpg")
    result = regatta("jobs", "rm", "two", "three", "--with-output")
    assert "removed job two: 3 files" in result.stderr
    assert left(regatta) == ["runs"]
    assert not (bench.root / "two").exists()


def test_what_somebody_put_into_an_output_stays(
    bench: Bench, regatta: Regatta, jobs: list[str]
) -> None:
    bench.output("one").put("notes.txt", b"mine")
    result = regatta("jobs", "rm", "one", "--with-output")
    assert "not written by the job and left there: 1 file" in result.stderr
    assert [path.name for path in (bench.root / "one").iterdir()] == ["notes.txt"]


def test_what_is_older_than_the_job_or_behind_a_link_is_not_its(
    bench: Bench, regatta: Regatta, jobs: list[str]
) -> None:
    output = bench.root / "one"
    for place in (output / "masks" / "truth.png", bench.root / "mine" / "a.jpg"):
        place.parent.mkdir()
        place.write_bytes(b"mine")
    os.utime(output / "masks" / "truth.png", (0, 0))
    (output / "annotated" / "link").symlink_to(bench.root / "mine")
    (output / "cutouts").symlink_to(output / "annotated")
    result = regatta("jobs", "rm", "one", "one", "--with-output")
    assert "removed job one: 3 files" in result.stderr
    assert (output / "masks" / "truth.png").exists()
    assert (bench.root / "mine" / "a.jpg").exists()


def test_an_output_within_another_stays(bench: Bench, regatta: Regatta, jobs: list[str]) -> None:
    inner = bench.root / "one" / "annotated" / "again"
    bench.job("inner", state=DONE, output=str(inner))
    (inner / "masks").mkdir(parents=True)
    (inner / "masks" / "a.png").write_bytes(b"its")
    assert "left there: 1 file" in regatta("jobs", "rm", "one", "--with-output").stderr
    assert (inner / "masks" / "a.png").exists()


@pytest.mark.parametrize("source", ["one/", "one/annotated/", "one/annotated/a.jpg", ""])
def test_an_output_that_another_job_reads_stays(
    bench: Bench, regatta: Regatta, jobs: list[str], source: str
) -> None:
    bench.job("reader", state=DONE, source=f"{bench.root}/{source}")
    refused = regatta("jobs", "rm", "one", "--with-output")
    assert "job one must stay: reader has a source in its output" in refused.stderr
    assert "one stays: reader" in regatta("prune", "--keep", "3", "--with-output").stderr
    assert bench.output("one").exists("annotated/a.jpg")
    assert regatta("jobs", "rm", "one").exit_code == 0  # its output stays


def test_nothing_goes_that_runs_or_that_another_job_refers_to(
    bench: Bench, regatta: Regatta, jobs: list[str]
) -> None:
    refused = regatta("jobs", "rm", "runs", "--with-output")
    assert refused.exit_code == 2
    assert "it has not ended" in refused.stderr
    refer(bench, "three", "one")
    assert "three refers to it" in regatta("jobs", "rm", "one", "--with-output").stderr
    assert "one stays: three refers to it" in regatta("prune", "--keep", "1").stderr
    assert left(regatta) == ["runs", "three", "one"]
    assert bench.output("one").exists("annotated/a.jpg")
    assert regatta("prune", "--keep", "0").exit_code == 0  # first the one that refers
    assert left(regatta) == ["runs"]


def test_the_newest_or_the_younger_stay(
    bench: Bench, regatta: Regatta, jobs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = regatta("prune", "--keep", "1", "--with-output", "--dry-run").stdout
    assert [line.split()[1] for line in shown.splitlines()] == ["two", "one"]
    assert "3 files" in shown
    assert len(left(regatta)) == 4
    monkeypatch.setattr("core.values.time.time", lambda: bench.clock.now)
    assert regatta("prune", "--older-than", "150m").exit_code == 0
    assert left(regatta) == ["runs", "three", "two"]
    assert "nothing to remove" in regatta("prune", "--older-than", "9d").stderr
    assert regatta("prune").exit_code == 2


def test_what_nothing_refers_to_is_found_and_removed(
    bench: Bench, regatta: Regatta, jobs: list[str]
) -> None:
    objects, models = bench.root / "outputs", bench.root / "models"
    kept, lost, young, unused = "kept000000", "x0st000000", "y0ng000000", "f" * 64
    bench.job("kept", state=DONE, output=str(objects / kept))
    places = [objects / kept, objects / lost, models / unused, models / ".incoming-1"]
    for place in places:
        place.mkdir(parents=True)
        (place / "file").write_bytes(b"123")
        os.utime(place, (0, 0))
    (objects / young).mkdir()
    found = json.loads(regatta("du", "--format", "json").stdout)
    sizes = {each["name"]: each["size"] for each in found if each["what"].startswith("unref")}
    assert sizes == {lost: 3, young: 0, unused[:12]: 3}
    assert regatta("prune", "--unreferenced").exit_code == 0
    assert [place.exists() for place in places] == [True, False, False, False]
    assert (objects / young).exists()
    assert len(left(regatta)) == 5


@pytest.mark.parametrize("way", ["its parent", "by a link", "moved", "read", "no output", "away"])
def test_what_may_be_referred_to_is_not_found(
    bench: Bench, regatta: Regatta, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    objects = bench.root / "outputs"
    folder = objects / ("masks" if way == "no output" else "abcde01234")
    folder.mkdir(parents=True)
    os.utime(folder, (0, 0))
    (bench.root / "link").symlink_to(objects)
    if way == "its parent":
        bench.job("other", state=DONE, output=str(objects))
    elif way == "by a link":
        bench.job("other", state=DONE, output=str(bench.root / "link" / folder.name))
    elif way == "moved":
        bench.job(folder.name, state=DONE, output=f"/elsewhere/{folder.name}")
    elif way == "read":
        bench.job("other", state=DONE, source=f"{folder}/annotated/", output="/elsewhere/other")
    elif way == "away":  # where other databases may have theirs
        monkeypatch.setenv("REGATTA_OBJECTS", str(objects))
        monkeypatch.setenv("REGATTA_DATABASE_URL", bench.db.url)
        (bench.root / "home").mkdir()
        monkeypatch.setenv("REGATTA_HOME", str(bench.root / "home"))
    assert "nothing to remove" in regatta("prune", "--unreferenced").stderr
    assert folder.exists()


def test_a_bucket_that_is_away_hides_and_keeps_no_other(
    bench: Bench, regatta: Regatta, jobs: list[str]
) -> None:
    bench.job("far", state=DONE, output="file:///")
    bench.db.write(lambda s: setattr(s.get(Job, "far"), "output", "ftp://nowhere/far"))
    result = regatta("du", "far", "one", "--format", "json")
    far, one = json.loads(result.stdout)
    assert (far["size"], one["files"]) == (None, 3)
    assert "ftp://nowhere/far cannot be measured" in result.stderr
    pruned = regatta("prune", "--keep", "0", "--with-output")
    assert pruned.exit_code == 1
    assert "job far stays: ftp:// is not supported" in pruned.stderr
    assert left(regatta) == ["far", "runs"]


def test_sizes_of_jobs(bench: Bench, regatta: Regatta, jobs: list[str]) -> None:
    [one] = json.loads(regatta("du", "one", "--format", "json").stdout)
    assert (one["files"], one["state"]) == (3, "succeeded")
    assert one["size"] == sum(f.stat().st_size for f in Path(one["where"]).rglob("*.*"))
    assert "one" in regatta("du", "--format", "table").stdout


def test_sizes_in_words() -> None:
    sizes = (0, 999, 1000, 12_345, 999_999, 5_000_000, 3_210_000_000)
    in_words = ["0 B", "999 B", "1.0 kB", "12 kB", "1,000 kB", "5.0 MB", "3.2 GB"]
    assert [readable_size(size) for size in sizes] == in_words
