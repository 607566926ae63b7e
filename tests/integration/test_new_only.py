"""Jobs that take over what an earlier one has results of: planned for real, worked on by hand."""

import hashlib
import json
import os
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import scheduler.plan
from core import numerics
from core.comparison import Comparison
from core.errors import RetryableError, UsageError
from core.items import ItemRef
from core.kinds import ArtefactRole, ShardKind
from core.layout import MANIFEST, results_part, staged_results_part
from core.options import ModelRef
from core.profile import EngineOffer, ExecutionProfile, Offered
from core.selection import Selection
from core.states import ItemState, JobMoves, JobState
from core.work import Artefact, Counts, ShardResult, WorkUnit
from scheduler.plan import Planner
from scheduler.settle import Settler
from store import jobs, planning, references
from store.committed import committed_rows, quarantined_rows
from store.locations import open_store, use_s3
from store.manifests import decode_items, read_items
from store.output import Output
from store.parts import ResultRow, decode_rows, encode_rows
from store.s3.client import s3_client
from store.s3.options import S3Options
from store.settling import shards_of
from store.tables import Job
from store.view import view_tables
from tests.bench import OPTIONS, PROFILE, Bench
from tests.buckets.server import Server

KEYS = [f"{number:02d}.jpg" for number in range(25)]
SMALL = OPTIONS.but(shard_items=13)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler.plan, "_PART_ITEMS", 13)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of 25 items."""
    folder = tmp_path / "data"
    folder.mkdir()
    for key in KEYS:
        write(folder / key)
    return folder


def write(file: Path, content: bytes = b"x", *, at: int = 1_000) -> None:
    """Write a file that was changed at this time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    os.utime(file, (at, at))


def submit(bench: Bench, job: str, source: Path | str, since: str | None, **values: Any) -> None:
    """Write the row of a job, as `scheduler.submit` does."""
    values = {"options": SMALL.to_json(), "source": _as_source(source)} | values
    bench.clock.now += 10
    bench.job(job, state=JobState.PLANNING, since_job=since, **values)
    if since is not None:
        bench.db.write(lambda s: references.add(s, job, since, references.COMPARES))


def _as_source(source: Path | str) -> str:
    return f"{source}/" if not isinstance(source, str) or source.startswith("s3:") else source


def plan(bench: Bench) -> None:
    """Plan what there is to plan."""
    planner = Planner(bench.db, "p", lease_seconds=30)
    finish(planner)
    planner.close()


def finish(planner: Planner) -> None:
    """Let a planner do all that it can."""
    while planner.tick():
        pass


def work(bench: Bench, job: str, bad: Collection[str] = (), reason: str = "empty: it is") -> None:
    """Run a job's shards: each item has a row that names its job and its content."""
    for kind in (ShardKind.INFER, ShardKind.RENDER):
        while holds := bench.queue(job, kind=kind):
            [hold] = holds
            offers = ExecutionProfile.from_json(bench.read_job(job).profile or {}).offers
            unit = bench.claim(hold, offers=tuple(offers))
            assert isinstance(unit, WorkUnit)
            items = decode_items(bench.output(job).get(unit.items_key), unit.start, unit.stop)
            rows = [row_of(item, job, reason if item.key in bad else None) for item in items]
            data = encode_rows(rows)
            failed = sum(row.reason is not None for row in rows)
            part = Artefact(
                ArtefactRole.ROWS,
                staged_results_part(unit.part, hold.attempt),
                results_part(unit.part),
                hashlib.sha256(data).hexdigest(),
                len(data),
            )
            bench.output(job).put(part.staged, data)
            assert bench.end(hold, ShardResult((part,), Counts(len(rows) - failed, 0, failed)))
    Settler(bench.db, grace_seconds=0).tick()


def row_of(item: ItemRef, job: str, reason: str | None) -> ResultRow:
    """A row of a model that ran, or why it did not."""
    if reason is not None:
        return ResultRow.quarantined(item, task="detect", model="m", reason=reason)
    annotated = f"annotated/{item.key}.{job}.jpg"
    return ResultRow(
        item, "detect", "m", ItemState.SUCCEEDED, width=4, height=3, annotated=annotated
    )


def night(bench: Bench, job: str, source: Path | str, since: str | None, **values: Any) -> str:
    """Plan and work on a job; return what its comparison says."""
    bad = values.pop("bad", ())
    reason = values.pop("reason", "empty: it is")
    submit(bench, job, source, since, **values)
    plan(bench)
    work(bench, job, bad, reason)
    ended = bench.read_job(job)
    assert ended.state in {JobState.SUCCEEDED, JobState.PARTIAL}, ended.error
    return compared(ended).words


def compared(job: Job) -> Comparison:
    """What a job's comparison found."""
    return Comparison.from_json(job.comparison or {})


def view(bench: Bench, job: str) -> dict[str, tuple[str, str]]:
    """The items of a job's view: whose rows they are, and where the picture lies in its output."""
    rows = [
        row for table in view_tables(bench.db, bench.read_job(job)) for row in table.to_pylist()
    ]
    assert len({row["item"] for row in rows}) == len(rows)
    assert all(row["output"] == bench.read_job(row["job"]).output for row in rows)
    return {row["item"]: (row["job"], row["annotated"] or row["reason"]) for row in rows}


def refers_to(bench: Bench, job: str) -> dict[str, str]:
    """The jobs that a job needs, and why."""
    return bench.db.read(lambda s: references.references_of(s, job))


def whys(bench: Bench, job: str) -> dict[str, str]:
    """Why each item of a job is done."""
    output = bench.output(job)
    return {
        row["key"]: row["why"]
        for info in output.list("items/")
        for row in read_items(output.get(info.key), with_why=True).to_pylist()
    }


def check(bench: Bench, job: str, keys: Collection[str]) -> None:
    """The view has exactly these items, however it is read."""
    row = bench.read_job(job)
    found = view(bench, job)
    assert sorted(found) == sorted(keys)
    assert row.listed + row.carried == len(keys)
    printed = {one["item"]: one for one in committed_rows(bench.db, row)}
    assert sorted(printed) == sorted(keys)
    without = {one["item"]: one for one in Output(row.output).rows()}
    assert without == printed
    for key, (maker, picture) in found.items():
        if maker != job and printed[key]["reason"] is None:
            assert printed[key]["annotated"] == f"{bench.root}/{maker}/{picture}"
            assert printed[key]["job"] == maker
    manifest = json.loads(bench.output(job).get(MANIFEST))
    assert manifest["comparison"]["words"] == compared(row).words
    assert manifest["items"]["carried"] == row.carried


def test_only_what_is_new_is_done(sqlite_bench: Bench, source: Path) -> None:
    """Night by night: added, changed, deleted; each row names the job that made it."""
    bench = sqlite_bench
    assert (
        night(bench, "a", source, None, bad=["03.jpg"]) == "0 unchanged, 0 new, 0 changed, 0 gone"
    )
    write(source / "05.jpg", b"changed")
    write(source / "new.jpg")
    write(source / "06.jpg", at=2_000)
    for gone in ("00.jpg", "01.jpg"):
        (source / gone).unlink()
    words = night(bench, "b", source, "a")
    assert words == "20 unchanged, 1 new, 2 changed, 1 still quarantined, 2 gone"
    keys = [*KEYS[2:], "new.jpg"]
    check(bench, "b", keys)
    assert whys(bench, "b") == {"05.jpg": "changed", "06.jpg": "changed", "new.jpg": "new"}
    found = view(bench, "b")
    assert found["02.jpg"] == ("a", "annotated/02.jpg.a.jpg")
    assert found["05.jpg"] == ("b", "annotated/05.jpg.b.jpg")
    assert found["03.jpg"] == ("a", "empty: it is")
    [held] = quarantined_rows(bench.db, bench.read_job("b"))
    assert held["item"] == "03.jpg"
    assert bench.read_job("b").state is JobState.SUCCEEDED  # its own items did

    # The origin, never a chain.
    write(source / "late.jpg")
    assert night(bench, "c", source, "b") == (
        "23 unchanged, 1 new, 0 changed, 1 still quarantined, 0 gone"
    )
    check(bench, "c", [*keys, "late.jpg"])
    found = view(bench, "c")
    assert [found[key][0] for key in ("02.jpg", "05.jpg", "late.jpg")] == ["a", "b", "c"]
    assert refers_to(bench, "c") == {"a": "carries", "b": "carries"}

    # An empty night.
    assert night(bench, "d", source, "c") == (
        "24 unchanged, 0 new, 0 changed, 1 still quarantined, 0 gone"
    )
    assert (bench.read_job("d").state, bench.read_job("d").listed) == (JobState.SUCCEEDED, 0)
    check(bench, "d", [*keys, "late.jpg"])
    assert set(refers_to(bench, "d")) == {"a", "b", "c"}


def test_an_empty_listing_fails(sqlite_bench: Bench, source: Path) -> None:
    """A mount that is not there must not wipe the view."""
    bench = sqlite_bench
    night(bench, "a", source, None)
    for file in source.iterdir():
        file.unlink()
    submit(bench, "b", source, "a")
    plan(bench)
    assert bench.read_job("b").state is JobState.FAILING
    assert "is empty" in (bench.read_job("b").error or "")


def test_one_of_several_sources_that_is_empty_fails(
    sqlite_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor must it wipe its part of the view; what was listed before a planner died counts, too."""
    bench = sqlite_bench
    monkeypatch.setattr(scheduler.plan, "_PART_ITEMS", 2)
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        for number in range(3):
            write(folder / f"{number}.jpg")
    several = tuple((folder.name, f"{folder}/") for folder in folders)
    values: dict[str, Any] = {"options": OPTIONS.but(shard_items=1).to_json()}
    values["selection"] = Selection(sources=several).to_json()
    night(bench, "a", "for people", None, **values)
    for number in range(3):
        (folders[1] / f"{number}.jpg").unlink()
    submit(bench, "b", "for people", "a", **values)
    frozen = Planner(bench.db, "frozen", lease_seconds=30)
    frozen.tick()
    bench.clock.now += 31
    plan(bench)
    frozen.close()
    error = bench.read_job("b").error or ""
    assert bench.read_job("b").state is JobState.FAILING
    assert f"'{folders[1]}/' is empty: job a had 3 items of it" in error
    assert "add --allow-empty" in error

    values["selection"] = Selection(sources=several, allow_empty=True).to_json()
    words = night(bench, "c", "for people", "a", **values)
    assert words == "6 unchanged, 0 new, 0 changed, 3 gone"
    values["selection"] = Selection(sources=several).to_json()
    assert night(bench, "d", "for people", "c", **values).startswith("6 unchanged")
    values["selection"] = Selection(sources=several, limit=2).to_json()
    assert night(bench, "e", "for people", "d", **values).startswith("2 unchanged")


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "model": (
        {"model": ModelRef("m", "detect", "e" * 64, "file:///models/m").to_json()},
        "model changed -> all",
    ),
    "threshold": (
        {"options": SMALL.but(threshold=0.4, polygons=True).to_json()},
        "options changed: threshold, polygons -> all",
    ),
    "limits": (
        {"options": SMALL.but(max_pixels=5).to_json()},
        "options changed: max-pixels -> all",
    ),
    "sample": (
        {"options": SMALL.but(sample=3).to_json()},
        "options changed: annotate -> all",
    ),
}


def test_everything_is_done_again(sqlite_bench: Bench, source: Path) -> None:
    """What changes rows leaves nothing to take over; the counts are about contents all the same."""
    bench = sqlite_bench
    night(bench, "a", source, None)
    (source / "00.jpg").unlink()
    write(source / "new.jpg")
    for job, (values, words) in CHANGES.items():
        submit(bench, job, source, "a", **values)
        plan(bench)
        found = compared(bench.read_job(job))
        assert found.words == f"24 unchanged, 1 new, 0 changed, 1 gone; {words}"
        assert set(whys(bench, job).values()) == {"new", words.removesuffix(" -> all")}
        assert (bench.read_job(job).listed, bench.read_job(job).carried) == (25, 0)
        assert refers_to(bench, job) == {}
    work(bench, "model")
    check(bench, "model", [*KEYS[1:], "new.jpg"])
    assert {maker for maker, _ in view(bench, "model").values()} == {"model"}


def test_pictures_are_drawn_again_without_networks(sqlite_bench: Bench, source: Path) -> None:
    """Drawing options leave rows alone: shards draw from the origin's parts."""
    bench = sqlite_bench
    night(bench, "a", source, None, bad=["03.jpg"])
    write(source / "05.jpg", b"changed")
    night(bench, "b", source, "a")
    write(source / "new.jpg")
    drawing = {"options": SMALL.but(line_width=3).to_json()}
    submit(bench, "c", source, "b", **drawing)
    plan(bench)
    shards = bench.db.read(lambda s: shards_of(s, "c"))
    drawn = [shard for shard in shards if shard.kind == ShardKind.RENDER]
    assert {(shard.spec or {})["job"] for shard in drawn} == {"a", "b"}
    for shard in drawn:
        items = decode_items(bench.output("c").get(shard.items_key), shard.start, shard.stop)
        spec = shard.spec or {}
        rows = decode_rows(bench.output(spec["job"]).get(spec["key"]))
        origin = {row.item.index: row.item.key for row in rows}
        assert [item.key for item in items] == [origin[one] for one in spec["indexes"]]
    assert sum(shard.items for shard in drawn) == 24
    work(bench, "c")
    row = bench.read_job("c")
    assert compared(row).words == (
        "24 unchanged, 1 new, 0 changed, 1 still quarantined, 0 gone; "
        "options changed: line-width -> 24 drawn again"
    )
    check(bench, "c", [*KEYS, "new.jpg"])
    assert {maker for maker, _ in view(bench, "c").values()} == {"c", "a"}  # one is quarantined


def test_what_failed_in_passing_is_tried_again(sqlite_bench: Bench, source: Path) -> None:
    """A bad file is not, until it changes; nor is what has succeeded since, by a retry."""
    bench = sqlite_bench
    night(bench, "a", source, None, bad=["03.jpg", "04.jpg"], reason="timed_out: alone")
    assert night(bench, "b", source, "a", bad=["04.jpg"]) == (
        "23 unchanged, 0 new, 0 changed, 2 tried again, 0 gone"
    )
    assert whys(bench, "b") == {"03.jpg": "retried", "04.jpg": "retried"}
    assert bench.read_job("b").state is JobState.PARTIAL
    assert night(bench, "c", source, "b") == (
        "24 unchanged, 0 new, 0 changed, 1 still quarantined, 0 gone"
    )
    write(source / "04.jpg", b"mended")
    assert night(bench, "d", source, "c") == "24 unchanged, 0 new, 1 changed, 0 gone"
    check(bench, "d", KEYS)


def test_a_cancelled_job_is_gone_on_with(sqlite_bench: Bench, source: Path) -> None:
    """Items without a row are done by the next job."""
    bench = sqlite_bench
    submit(bench, "a", source, None)
    plan(bench)
    [hold] = bench.queue("a")
    unit = bench.claim(hold)
    assert isinstance(unit, WorkUnit)
    bench.hand_back(hold)
    bench.db.write(lambda s: jobs.stop(s, "a", JobMoves.CANCEL, now=bench.clock.now))
    Settler(bench.db, grace_seconds=0).tick()
    assert bench.read_job("a").state is JobState.CANCELLED
    assert night(bench, "b", source, "a") == (
        "0 unchanged, 0 new, 0 changed, 25 tried again, 0 gone"
    )
    check(bench, "b", KEYS)


def test_numerics_and_engines(
    sqlite_bench: Bench, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another engine is no reason, unless somebody says so; another revision of the same is."""
    bench = sqlite_bench
    night(bench, "a", source, None)
    other = {**PROFILE.to_json(), "engine": "fast"}
    assert night(bench, "b", source, "a", profile=other).startswith("25 unchanged")
    request = {"source": f"{source}/", "redo_on": ["engine"], "since_job": "b"}
    words = night(bench, "c", source, "b", profile=other, request=request)
    assert words == "25 unchanged, 0 new, 0 changed, 0 gone; engine changed -> all"
    write(source / "new.jpg")
    assert night(bench, "d", source, "c", profile=PROFILE.to_json()).startswith("25 unchanged")
    monkeypatch.setattr(numerics, "REVISIONS", {"fast": 3})
    words = night(bench, "e", source, "d", profile=PROFILE.to_json())
    assert words == ("26 unchanged, 0 new, 0 changed, 0 gone; numerics revision changed -> 25")
    assert {maker for maker, _ in view(bench, "e").values()} == {"d", "e"}


def test_numerics_of_an_engine_that_is_not_ours_are_those_of_live_workers(
    sqlite_bench: Bench, source: Path
) -> None:
    """It does not depend on whether the profile is settled before the comparison."""
    bench = sqlite_bench
    theirs = EngineOffer("theirs", "1", "cpu-any", "fp32")
    profile = {**PROFILE.to_json(), **theirs.to_json()}
    night(bench, "a", source, None, profile=profile)
    bench.worker(offers=(Offered(replace(theirs, version="2")),))
    submit(bench, "b", source, "a", profile=None)
    plan(bench)
    assert compared(bench.read_job("b")).words == "25 unchanged, 0 new, 0 changed, 0 gone"
    bench.worker(offers=(Offered(replace(theirs, numerics=2)),))
    submit(bench, "c", source, "a", profile=None)
    plan(bench)
    words = compared(bench.read_job("c")).words
    assert words == "25 unchanged, 0 new, 0 changed, 0 gone; numerics revision changed -> all"


def test_the_comparison_waits_for_a_profile(sqlite_bench: Bench, source: Path) -> None:
    """And status says why."""
    bench = sqlite_bench
    night(bench, "a", source, None)
    request = {"source": f"{source}/", "redo_on": ["engine"], "since_job": "a"}
    submit(bench, "b", source, "a", profile=None, request=request)
    planner = Planner(bench.db, "p", lease_seconds=30)
    with pytest.raises(Exception, match="waiting for a worker"):
        planner.tick()
    [why] = bench.db.read(lambda s: jobs.troubles_of(s, [jobs.get_job(s, "b")])).values()
    assert why.startswith("waiting for a worker")
    assert not planner.tick()


@pytest.fixture
def bucket(moto_server: Server) -> Iterator[str]:
    """The URL of a bucket with some objects, of different contents."""
    options = moto_server.options()
    name = f"bucket-{uuid4().hex}"
    s3_client(options).create_bucket(Bucket=name)
    use_s3(options)
    url = f"s3://{name}"
    for number in range(12):
        open_store(url).put(f"p/{number:02d}.jpg", bytes(number + 1))
    yield url
    use_s3(S3Options())


def test_content_is_known_under_other_names(sqlite_bench: Bench, bucket: str) -> None:
    """In a bucket: renamed, copied, swapped, written again with the same content."""
    bench, store = sqlite_bench, open_store(bucket)
    night(bench, "a", bucket, None, bad=["p/09.jpg"])
    for old, new in (("p/00.jpg", "q/zero.jpg"), ("p/01.jpg", "p/copy.jpg"), ("p/09.jpg", "x.jpg")):
        store.copy(old, new)
    for gone in ("p/00.jpg", "p/04.jpg", "p/09.jpg"):
        store.delete(gone)
    two, three = store.get("p/02.jpg"), store.get("p/03.jpg")
    store.put("p/02.jpg", three)
    store.put("p/03.jpg", two)
    store.put("p/05.jpg", store.get("p/05.jpg"))
    store.put("p/06.jpg", b"changed")
    words = night(bench, "b", bucket, "a")
    # Of what was bad, nothing could be taken over: under another name it is new.
    assert words == "6 unchanged, 4 moved, 1 new, 1 changed, 2 gone"
    check(bench, "b", [info.key for info in store.list()])
    assert whys(bench, "b") == {"p/06.jpg": "changed", "x.jpg": "new"}
    found = view(bench, "b")
    assert found["q/zero.jpg"] == ("a", "annotated/p/00.jpg.a.jpg")
    assert found["p/copy.jpg"] == found["p/01.jpg"]
    assert found["p/02.jpg"] == ("a", "annotated/p/03.jpg.a.jpg")
    uris = {
        row["item"]: row["uri"]
        for table in view_tables(bench.db, bench.read_job("b"))
        for row in table.to_pylist()
    }
    assert uris["q/zero.jpg"] == f"{bucket}/q/zero.jpg"

    # Moved and drawn again: under the new name.
    store.copy("p/05.jpg", "five.jpg")
    store.delete("p/05.jpg")
    words = night(bench, "c", bucket, "b", options=SMALL.but(line_width=2).to_json())
    assert words == (
        "11 unchanged, 1 moved, 0 new, 0 changed, 0 gone; "
        "options changed: line-width -> all drawn again"
    )
    assert view(bench, "c")["five.jpg"] == ("c", "annotated/five.jpg.c.jpg")
    check(bench, "c", [info.key for info in store.list()])


def test_a_list_says_what_it_knows(sqlite_bench: Bench, tmp_path: Path) -> None:
    """Items of a list are known by its ETags; without any, nobody knows whether they changed."""
    bench, source = sqlite_bench, tmp_path / "items.csv"
    lines = ["item,size,etag", "a.jpg,3,1", "b.jpg,3,2", "/elsewhere/c.jpg,3,3", "d.jpg,,"]
    source.write_text("\n".join(lines))
    night(bench, "a", str(source), None)
    source.write_text("\n".join([*lines[:2], "b.jpg,3,9", *lines[3:], "a.jpg,3,1"]))
    assert night(bench, "b", str(source), "a") == "2 unchanged, 0 new, 2 changed, 0 gone"
    check(bench, "b", ["a.jpg", "b.jpg", "/elsewhere/c.jpg", "d.jpg"])
    [place] = [
        row["uri"]
        for table in view_tables(bench.db, bench.read_job("b"))
        for row in table.to_pylist()
        if row["item"] == "/elsewhere/c.jpg"
    ]
    assert place == "/elsewhere/c.jpg"


def test_a_retry_of_an_origin_is_seen(sqlite_bench: Bench, source: Path) -> None:
    """What an earlier job makes good, later views have, and later jobs take over."""
    bench = sqlite_bench
    night(bench, "a", source, None, bad=["03.jpg"])
    night(bench, "b", source, "a")
    assert view(bench, "b")["03.jpg"] == ("a", "empty: it is")
    assert bench.db.write(lambda s: jobs.reopen(s, "a", now=bench.clock.now)) == 1

    # Meanwhile the job that it is compared with is not settled.
    submit(bench, "c", source, "a")
    with pytest.raises(RetryableError, match="it runs again"):
        plan(bench)
    work(bench, "a")
    bench.clock.now += 60
    plan(bench)
    assert compared(bench.read_job("c")).words == "25 unchanged, 0 new, 0 changed, 0 gone"
    assert view(bench, "b")["03.jpg"] == ("a", "annotated/03.jpg.a.jpg")
    assert night(bench, "d", source, "b") == "25 unchanged, 0 new, 0 changed, 0 gone"
    with pytest.raises(UsageError, match="must stay"):
        bench.db.write(lambda s: jobs.forget(s, "a"))


class Killed(BaseException):
    """Stands for the end of the process."""


def test_a_killed_planner_is_gone_on_for(
    bench: Bench, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts, parts and cursor move together: nothing is counted or carried twice."""
    monkeypatch.setattr(scheduler.plan, "_PART_ITEMS", 8)
    night(bench, "a", source, None)
    write(source / "04.jpg", b"changed")
    write(source / "17.jpg", b"changed")
    (source / "20.jpg").unlink()
    submit(bench, "b", source, "a", options=SMALL.but(shard_items=8).to_json())
    real = planning.commit_plan_part
    for lives in (1, 0, 0, 1):
        left = lives

        def commit(*args: Any, **more: Any) -> bool:
            nonlocal left
            if not left:
                raise Killed
            left -= 1
            return bool(real(*args, **more))

        monkeypatch.setattr(planning, "commit_plan_part", commit)
        planner = Planner(bench.db, "p", lease_seconds=30)
        with pytest.raises(Killed):
            finish(planner)
        bench.clock.now += 60
    monkeypatch.setattr(planning, "commit_plan_part", real)
    plan(bench)
    work(bench, "b")
    assert compared(bench.read_job("b")).words == "22 unchanged, 0 new, 2 changed, 1 gone"
    check(bench, "b", [key for key in KEYS if key != "20.jpg"])
    kept = {info.key for info in bench.output("b").list("carried/")}
    assert kept == set(compared(bench.read_job("b")).manifests)  # what the dead wrote is gone


def test_comparisons_at_the_same_time_do_not_drive_each_other_out(
    sqlite_bench: Bench, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Schedules of one hour: each is got ready in several turns, and none begins anew for ever."""
    bench = sqlite_bench
    night(bench, "a", source, None)
    monkeypatch.setattr("scheduler.plan._MOST_WALKS", 2)
    monkeypatch.setattr("scheduler.continued._STEP_SECONDS", -1.0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    write(source / "new.jpg")
    for job in "bcde":
        submit(bench, job, source, "a")
    planner = Planner(bench.db, "p", lease_seconds=30)
    for _ in range(40):
        planner.tick()
    assert [bench.read_job(job).state for job in "bcde"] == [JobState.RUNNING] * 4
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_comparison_that_makes_room_leaves_nothing_behind(
    sqlite_bench: Bench, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = sqlite_bench
    night(bench, "a", source, None)
    monkeypatch.setattr("scheduler.plan._MOST_WALKS", 1)
    monkeypatch.setattr("scheduler.plan._PART_ITEMS", 4)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    for number in range(8):
        write(source / f"new{number}.jpg")
    submit(bench, "b", source, "a", options=SMALL.but(threshold=0.4).to_json())
    planner = Planner(bench.db, "p", lease_seconds=30)
    planner.tick()
    assert bench.read_job("b").plan_parts == 1
    submit(bench, "c", source, None)
    planner.tick()
    assert bench.read_job("c").plan_parts == 1
    assert list((tmp_path / "temporary").iterdir()) == []
    finish(planner)
    assert [bench.read_job(job).listed for job in "bc"] == [len(KEYS) + 8] * 2
