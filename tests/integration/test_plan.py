import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import scheduler.plan
from core.errors import RegattaError, RetryableError
from core.items import ItemRef
from core.plan_warnings import PlanWarnings
from core.selection import Selection
from core.sources import Source
from core.states import JobMoves, JobState
from scheduler.listing import Listed
from scheduler.listing import listing_of_all as real_listing
from scheduler.plan import Planner
from scheduler.settle import Settler
from store import jobs, planning
from store.manifests import decode_items
from store.rates import note_rate
from store.tables import Shard
from tests.bench import OPTIONS, PROFILE, Bench
from worker.pipeline.items import place_of

KEYS = [f"{number:02d}.jpg" for number in range(25)]


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler.plan, "_PART_ITEMS", 10)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for key in [*KEYS, "film.mp4", "notes.txt"]:
        (folder / key).write_bytes(b"x" * int(key[:2]) if key in KEYS else b"")
    return folder


def submit(bench: Bench, source: Path | str, job: str = "a", **values: Any) -> None:
    options = OPTIONS.but(shard_items=4).to_json()
    values = {"source": f"{source}", "options": options, "profile": None} | values
    bench.job(job, state=JobState.PLANNING, **values)


def planner(bench: Bench, owner: str = "p1") -> Planner:
    return Planner(bench.db, owner, lease_seconds=30)


def finish(planner: Planner) -> int:
    ticks = 0
    while planner.tick():
        ticks += 1
        assert ticks < 100
    return ticks


def shards(bench: Bench, job: str = "a") -> list[Shard]:
    return bench.db.read(
        lambda s: s.query(Shard).where(Shard.job_id == job).order_by(Shard.seq).all()
    )


def items(bench: Bench, job: str = "a") -> list[ItemRef]:
    """What the workers of the job will read."""
    return [
        item
        for shard in shards(bench, job)
        for item in decode_items(bench.output(job).get(shard.items_key), shard.start, shard.stop)
    ]


def check(bench: Bench, keys: list[str] = KEYS) -> None:
    found = items(bench)
    assert [item.key for item in found] == keys
    assert [item.index for item in found] == list(range(len(keys)))
    assert [shard.seq for shard in shards(bench)] == list(range(len(shards(bench))))
    job = bench.read_job("a")
    assert (job.state, job.listed, job.shards) == (
        JobState.RUNNING,
        len(keys),
        len(shards(bench)),
    )
    assert job.planned_at is not None


def test_a_folder_becomes_parts_and_shards(bench: Bench, source: Path) -> None:
    submit(bench, source)
    assert finish(planner(bench)) == 4
    check(bench)
    # The first part is one shard, so that work can begin.
    assert [shard.items for shard in shards(bench)] == [4, 4, 4, 2, 4, 4, 2, 1]
    assert len({shard.items_key for shard in shards(bench)}) == bench.read_job("a").plan_parts == 4
    assert bench.read_job("a").passed_over == {"not an image": 1, "video": 1}
    assert {shard.queue for shard in shards(bench)} == {"detect"}
    last = items(bench)[-1]
    assert (last.size, last.uri, last.kind) == (24, None, "image")
    assert last.etag


def test_nothing_to_plan(bench: Bench) -> None:
    bench.job("a")
    assert not planner(bench).tick()


def test_a_job_without_items_fails_and_says_what_was_there(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    submit(bench, f"{folder}/")
    finish(planner(bench))
    assert (bench.read_job("a").state, bench.read_job("a").error) == (
        JobState.FAILING,
        f"nothing to do: '{folder}/' is empty",
    )
    for name in ("film.mp4", "b.mov", ".hidden.jpg", "notes.txt", "raw.nef"):
        (folder / name).touch()
    submit(bench, folder, "b")
    finish(planner(bench))
    assert bench.read_job("b").error == (
        "nothing to do: 5 entries, 2 videos, 1 hidden, 1 that is no picture, "
        "1 camera raw (not read)"
    )
    Settler(bench.db).tick()
    assert bench.read_job("b").state is JobState.FAILED


def test_a_retry_of_a_job_without_items_reads_its_listing_anew(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/z.mp4").touch()
    submit(bench, tmp_path / "data")
    finish(planner(bench))
    Settler(bench.db).tick()
    (tmp_path / "data/a.jpg").touch()
    bench.db.write(lambda s: jobs.reopen(s, "a", now=1.0))
    finish(planner(bench))
    check(bench, ["a.jpg"])
    assert bench.read_job("a").passed_over == {"video": 1}


@pytest.mark.parametrize("selection", [Selection(allow_empty=True), Selection(since=2e9)])
def test_a_job_may_be_empty_by_order_or_by_age(
    bench: Bench, source: Path, selection: Selection
) -> None:
    if selection.allow_empty:
        for key in KEYS:
            (source / key).unlink()
    submit(bench, source, selection=selection.to_json())
    finish(planner(bench))
    check(bench, [])
    Settler(bench.db).tick()
    assert bench.read_job("a").state is JobState.SUCCEEDED


def test_a_folder_without_old_files_is_not_empty_by_age(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").touch()
    submit(bench, f"{tmp_path}/*.mp4", selection=Selection(since=2e9).to_json())
    finish(planner(bench))
    assert bench.read_job("a").state is JobState.FAILING


def test_a_folder_that_may_not_be_read_is_counted_and_warned_about(
    bench: Bench, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("private", "05"):
        (source / name).mkdir()
    real = os.scandir

    def scandir(path: bytes) -> Any:  # permissions do not bind whoever runs as root
        if os.fsencode(path).endswith((b"/private/", b"/05/")):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    submit(bench, source, selection=Selection(exclude=("05/*",)).to_json())
    first = planner(bench)
    first.tick()
    first.close()
    finish(planner(bench, "p2"))
    check(bench)
    job = bench.read_job("a")
    passed_over = {"not an image": 1, "video": 1, "excluded": 1, "unreadable folder": 1}
    assert job.passed_over == passed_over
    assert job.warnings == {"unreadable folder": {"count": 1, "examples": ["private/"]}}
    assert list(PlanWarnings.from_json(job.warnings).in_words()) == [
        "1 folder can't be read, and what is in it is left out: private/"
    ]


@pytest.mark.parametrize("ticks", [0, 1, 2, 3, 4])
def test_several_sources_are_read_one_after_another_whoever_takes_over(
    bench: Bench, source: Path, tmp_path: Path, ticks: int
) -> None:
    more = tmp_path / "more/data"
    more.mkdir(parents=True)
    for name in ("a.jpg", "z/b.jpg", "film.mp4"):
        (more / name).parent.mkdir(exist_ok=True)
        (more / name).touch()
    (tmp_path / "all.txt").write_text("x.jpg\n/abs/y.jpg\nx.jpg\n")
    several = (
        *(("data", f"{source}/"), ("all.txt", f"{tmp_path}/all.txt")),
        *(("data-2", f"{more}/"), ("a.jpg", f"{more}/a.jpg")),
    )
    submit(bench, "for people", selection=Selection(sources=several).to_json())
    first = planner(bench)
    for _ in range(ticks):
        first.tick()
    first.close()
    finish(planner(bench, "p2"))
    rest = ["all.txt/x.jpg", "all.txt//abs/y.jpg", "data-2/a.jpg", "data-2/z/b.jpg", "a.jpg"]
    check(bench, [*(f"data/{key}" for key in KEYS), *rest])
    assert bench.read_job("a").passed_over == {"not an image": 1, "video": 2, "named twice": 1}
    roots = [place_of(item, jobs.sources_of(bench.read_job("a"))) for item in items(bench)[24:]]
    assert roots == [
        (f"{source}/", "24.jpg"),
        (f"{tmp_path}/", "x.jpg"),
        ("/abs", "y.jpg"),
        (f"{more}/", "a.jpg"),
        (f"{more}/", "z/b.jpg"),
        (f"{more}/", "a.jpg"),
    ]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(limit=7), KEYS[:7]),
        (Selection(limit=4), KEYS[:4]),
        (Selection(limit=14), KEYS[:14]),
        (Selection(limit=99), KEYS),
        (Selection(min_size=20), KEYS[20:]),
        (Selection(include=("1*",), exclude=("*5.jpg",), limit=6), [*KEYS[10:15], KEYS[16]]),
    ],
)
def test_only_what_is_selected_is_planned(
    bench: Bench, source: Path, selection: Selection, expected: list[str]
) -> None:
    submit(bench, source, selection=selection.to_json())
    finish(planner(bench))
    check(bench, expected)


def test_a_limit_holds_for_whoever_takes_over(
    bench: Bench, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(bench, source, selection=Selection(limit=4).to_json())

    def die(*_: object, **__: object) -> bool:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(planning, "finish_plan", die)
        with pytest.raises(Killed):
            planner(bench).tick()
    bench.clock.now += 30
    finish(planner(bench, "p2"))
    check(bench, KEYS[:4])


def test_what_was_passed_over_is_counted_by_reason_once(bench: Bench, source: Path) -> None:
    submit(bench, source, selection=Selection(min_size=23, exclude=("24.*",)).to_json())
    first = planner(bench)
    first.tick()
    first.close()
    finish(planner(bench, "p2"))
    assert bench.read_job("a").passed_over == {
        "not an image": 1,
        "video": 1,
        "smaller than --min-size": 23,
        "excluded": 1,
    }


@pytest.mark.parametrize("ticks", [0, 1, 2, 3])
def test_a_planner_that_is_killed_between_part_and_commit_leaves_no_trace(
    bench: Bench, source: Path, monkeypatch: pytest.MonkeyPatch, ticks: int
) -> None:
    submit(bench, source)
    first = planner(bench)
    for _ in range(ticks):
        first.tick()
    written = ticks  # parts

    def die(*_: object, **__: object) -> bool:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(planning, "commit_plan_part", die)
        with pytest.raises(Killed):
            first.tick()
    assert len(list(bench.output("a").list("items/"))) == written + 1
    second = planner(bench, "p2")
    assert not second.tick()  # the lease still stands
    bench.clock.now += 30
    finish(second)
    check(bench)


def test_a_planner_that_wakes_up_late_changes_nothing(bench: Bench, source: Path) -> None:
    submit(bench, source)
    stale, fresh = planner(bench, "p1"), planner(bench, "p2")
    stale.tick()
    bench.clock.now += 30
    fresh.tick()
    contents = {k.key: bench.output("a").get(k.key) for k in bench.output("a").list("items/")}
    assert stale.tick()
    assert not stale.tick()
    assert all(bench.output("a").get(key) == data for key, data in contents.items())
    finish(fresh)
    check(bench)


def test_two_planners_share_the_jobs(bench: Bench, source: Path) -> None:
    submit(bench, source, "a")
    submit(bench, source, "b")
    one, two = planner(bench, "p1"), planner(bench, "p2")
    assert one.tick()
    assert two.tick()
    owners = {job: bench.read_job(job).plan_owner for job in ("a", "b")}
    assert owners == {"a": "p1", "b": "p2"}
    finish(one)
    finish(two)
    for job in ("a", "b"):
        assert [item.key for item in items(bench, job)] == KEYS


def test_a_long_listing_does_not_bury_the_others(bench: Bench, source: Path) -> None:
    submit(bench, source, "a")
    one = planner(bench)
    one.tick()
    for number in range(6):
        submit(bench, source, f"b{number}")
    for _ in range(6):
        one.tick()
    names = ("a", *(f"b{number}" for number in range(6)))
    assert [len(shards(bench, job)) for job in names] == [1] * 7  # one turn each, then another
    assert bench.read_job("a").state is JobState.PLANNING
    two = planner(bench, "p2")
    assert two.tick()  # others take what is too much for one
    finish(one)
    finish(two)
    for job in names:
        assert [item.key for item in items(bench, job)] == KEYS


def test_a_planner_leaves_everything_to_others(bench: Bench, source: Path) -> None:
    for job in ("a", "b"):
        submit(bench, source, job)
    one = planner(bench)
    one.tick()
    one.tick()
    one.close()
    assert {bench.read_job(job).plan_owner for job in ("a", "b")} == {None}
    finish(planner(bench, "p2"))
    assert {bench.read_job(job).state for job in ("a", "b")} == {JobState.RUNNING}


def test_a_pause_stops_planning_and_a_resume_goes_on_at_once(bench: Bench, source: Path) -> None:
    submit(bench, source)
    first = planner(bench)
    first.tick()
    bench.db.write(lambda s: jobs.pause(s, "a", now=1.0))
    first.tick()
    assert not first.tick()
    assert bench.read_job("a").listed == 4
    bench.db.write(lambda s: jobs.resume(s, "a"))
    finish(first)
    check(bench)


def test_a_cancel_stops_planning(bench: Bench, source: Path) -> None:
    submit(bench, source)
    first = planner(bench)
    first.tick()
    bench.db.write(lambda s: jobs.stop(s, "a", JobMoves.CANCEL, now=1.0))
    first.tick()
    assert not first.tick()
    assert bench.states("a") == ["cancelled"]


def test_a_planner_that_slept_through_cancel_and_retry_commits_nothing(
    bench: Bench, source: Path
) -> None:
    submit(bench, source)
    stale = planner(bench)
    stale.tick()
    bench.db.write(lambda s: jobs.stop(s, "a", JobMoves.CANCEL, now=1.0))
    Settler(bench.db).tick()
    assert bench.db.write(lambda s: jobs.reopen(s, "a", now=1.0)) == 1
    listed = bench.read_job("a").listed
    # It had the job before it was cancelled; nobody has claimed it anew so far.
    (walk,) = stale._walks
    assert not stale._advance(walk)
    assert bench.read_job("a").listed == listed
    finish(planner(bench, "p2"))
    check(bench)


def test_a_source_that_is_not_there_fails_the_job(bench: Bench, tmp_path: Path) -> None:
    submit(bench, tmp_path / "missing.jpg")
    assert planner(bench).tick()
    job = bench.read_job("a")
    assert job.state is JobState.FAILING
    assert job.error is not None
    assert job.error.startswith("cannot plan: ")
    assert "missing.jpg" in job.error


def test_a_bad_line_fails_the_job_and_is_named(bench: Bench, tmp_path: Path) -> None:
    names = "".join(f'"{key}"\n' for key in KEYS[:5])
    (tmp_path / "all.jsonl").write_text(names + "{\n")
    submit(bench, tmp_path / "all.jsonl")
    finish(planner(bench))
    job = bench.read_job("a")
    assert job.state is JobState.FAILING
    assert job.error is not None
    assert "all.jsonl, line 6" in job.error
    assert bench.states("a") == ["cancelled"]


def broken_listing(error: Exception, after: int) -> object:
    def listing(sources: Sequence[Source], cursor: Mapping[str, Any] | None) -> Iterator[Listed]:
        for number, found in enumerate(real_listing(sources, cursor)):
            if number == after:
                raise error
            yield found

    return listing


def test_a_planner_tries_again_what_may_pass(
    bench: Bench, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(bench, source)
    first = planner(bench)
    with monkeypatch.context() as patch:
        patch.setattr(scheduler.plan, "listing_of_all", broken_listing(RetryableError("busy"), 6))
        with pytest.raises(RetryableError):
            finish(first)
    assert bench.read_job("a").error == "busy"
    assert not first.tick()  # it leaves the job alone for a while
    finish(planner(bench, "p2"))
    assert bench.read_job("a").error is None
    check(bench)


def test_a_listing_that_breaks_does_not_pass_for_one_that_ended(
    bench: Bench, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(bench, source)
    first = planner(bench)
    with monkeypatch.context() as patch:
        patch.setattr(scheduler.plan, "listing_of_all", broken_listing(ZeroDivisionError("?"), 6))
        with pytest.raises(ZeroDivisionError):
            finish(first)
    assert not first.tick()
    assert bench.read_job("a").state is JobState.PLANNING
    bench.clock.now += 30
    finish(first)
    check(bench)


def test_an_overtaken_planner_does_not_fail_the_job(
    bench: Bench, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source.parent / "all.jsonl").write_text("\n".join(f'"{key}"' for key in KEYS))
    submit(bench, source.parent / "all.jsonl")
    stale = planner(bench)
    with monkeypatch.context() as patch:
        error = RegattaError("gone")
        patch.setattr(scheduler.plan, "listing_of_all", broken_listing(error, 6))
        stale.tick()
    bench.clock.now += 30
    fresh = planner(bench, "p2")
    fresh.tick()
    stale.tick()
    finish(fresh)
    check(bench)


def test_a_slow_listing_is_committed_as_it_comes(
    bench: Bench, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(bench, source, selection=Selection(exclude=("0*", "1*")).to_json())
    monkeypatch.setattr(scheduler.plan, "_ASK_CLOCK_EVERY", 5)
    times = iter(range(0, 10_000, 4))
    slow = Planner(bench.db, "p1", lease_seconds=30, monotonic=lambda: float(next(times)))
    slow.tick()
    assert bench.read_job("a").plan_cursor == {"key": KEYS[9]}
    assert bench.read_job("a").listed == 0
    finish(slow)
    check(bench, KEYS[20:])


@pytest.mark.parametrize(
    ("rate", "expected"), [(None, 256), (2.0, 120), (0.01, 32), (1000.0, 4096)]
)
def test_a_shard_is_about_a_minute_of_work(
    bench: Bench, tmp_path: Path, rate: float | None, expected: int
) -> None:
    lines = "\n".join(f"{number}.jpg" for number in range(5000))
    (tmp_path / "all.txt").write_text(lines)
    submit(bench, tmp_path / "all.txt", options=OPTIONS.to_json(), profile=PROFILE.to_json())
    if rate is not None:
        key = "null/1/cpu-test/fp32"
        bench.db.write(lambda s: note_rate(s, "d" * 64, key, rate, now=0.0))
    planner(bench).tick()
    assert [shard.items for shard in shards(bench)] == [expected]


def test_an_unmeasured_engine_gets_shards_of_a_usual_size(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_text("\n".join(f"{number}.jpg" for number in range(300)))
    submit(bench, tmp_path / "all.txt", options=OPTIONS.to_json())
    finish(planner(bench))
    assert [shard.items for shard in shards(bench)] == [256, 44]
