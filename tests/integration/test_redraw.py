"""Pictures that are drawn again from the rows of another job: planning, and the worker's part."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from core.errors import UsageError
from core.items import ItemRef
from core.kinds import ShardKind
from core.layout import part_name, results_part
from core.options import JobOptions
from core.retry import Failure
from core.sample import Sample
from core.selection import Selection
from core.states import JobState
from core.work import Hold, WorkUnit
from scheduler.plan import Planner
from scheduler.redraw import accept, check
from scheduler.settle import Settler
from store import jobs, references
from store.artefacts import part_of
from store.committed import committed_rows
from store.devices import Device
from store.files import FileObjects
from store.manifests import encode_items
from store.parts import iter_rows
from store.processes import WORKER, Heartbeat
from store.tables import Job, Shard
from tests.bench import OFFER, Bench
from tests.workshop import Network, models_of, write_item, write_model
from worker.engines.registry import Engines
from worker.health import DeviceHealth
from worker.kinds.known import known_kinds
from worker.lease_keeper import LeaseKeeper
from worker.pipeline.drawing import Drawing
from worker.pipeline.pipeline import Pipeline, Threads
from worker.shard import ShardRunner
from worker.ways.chooser import WayChooser

COUNT = 6  # pictures, in two parts


class Studio:
    """Job `a` over six pictures, of which 4 was refused; and who draws it again."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.source = bench.root / "source"
        network = Network()
        network.refused = {4}
        self.pipeline = Pipeline(models_of(network, replicas=1), Threads(1, 1, 1, 1, 1))
        self.drawing = Drawing(fetch=2, draw=2, upload=2)
        chooser = WayChooser(bench.db, Engines([network]))
        keeper = LeaseKeeper(
            bench.db,
            Heartbeat("w", WORKER, "h", 1, "0"),
            lease_seconds=30.0,
            heartbeat_seconds=1000.0,
            stall_seconds=60.0,
        )
        self.painter = ShardRunner(  # it offers nothing
            db=bench.db,
            kinds=known_kinds(bench.db, self.pipeline, chooser, self.drawing, stall_seconds=60.0),
            keeper=keeper,
            worker_id="w",
            offers=(),
            lease_seconds=30.0,
            max_tries=3,
            draining=lambda: False,
            health=DeviceHealth(bench.db, Device("h", "cpu"), end=lambda: None),
        )
        self.planner = Planner(bench.db, "p", lease_seconds=30)
        items = [write_item(self.source, number) for number in range(COUNT)]
        files = FileObjects(self.source)
        self.items = [replace(item, etag=files.head(item.key).etag) for item in items]
        model = replace(write_model(bench.root / "model"), location=str(bench.root / "model"))
        places = {"source": f"{self.source}/", "model": model.to_json()}
        bench.job("a", [4, 2], **places)
        self.write_items("a", self.items)
        infers = replace(self.painter, offers=(OFFER,))
        for hold in bench.queue("a", 2):
            assert infers.run(hold) == "done"
        Settler(bench.db).tick()
        assert bench.read_job("a").state is JobState.PARTIAL

    def write_items(self, job: str, items: list[ItemRef]) -> None:
        self.bench.output(job).put("items/part-00000-1.parquet", encode_items(items))

    def accept(self, **said: Any) -> Job:
        redrawing = check(self.bench.db, self.bench.read_job("a"), said)
        return accept(self.bench.db, redrawing, str(self.bench.root / "outputs"))

    def plan(self, job: Job) -> list[Shard]:
        while self.planner.tick():
            pass
        return self.shards(job)

    def shards(self, job: Job) -> list[Shard]:
        return self.bench.db.read(
            lambda s: s.query(Shard).filter_by(job_id=job.id).order_by(Shard.seq).all()
        )

    def queue(self, job: Job) -> list[Hold]:
        return self.bench.queue(job.id, 10, kind=ShardKind.RENDER)

    def redraw(self, **said: Any) -> Job:
        """Draw everything again, and return the job at its end."""
        job = self.accept(**said)
        self.plan(job)
        for hold in self.queue(job):
            self.painter.run(hold)
        Settler(self.bench.db).tick()
        return self.bench.read_job(job.id)

    def part(self, job: str, seq: int) -> bytes:
        return self.output(job).get(results_part(part_name(seq)))

    def states(self, job: Job) -> dict[str, tuple[str, str | None]]:
        return {
            row["item"]: (row["state"], row["reason"] and row["reason"].partition(":")[0])
            for seq in range(2)
            for row in iter_rows(self.part(job.id, seq))
        }

    def output(self, job: str) -> FileObjects:
        return FileObjects(Path(self.bench.read_job(job).output))

    def pictures(self, job: str) -> dict[str, bytes]:
        store = self.output(job)
        return {found.key: store.get(found.key) for found in store.list("annotated/")}

    def close(self) -> None:
        self.pipeline.close()
        self.drawing.close()


@pytest.fixture
def bench(sqlite_bench: Bench) -> Bench:
    """On SQLite: what differs between databases is tested with shards of any kind."""
    return sqlite_bench


@pytest.fixture
def studio(bench: Bench) -> Iterator[Studio]:
    studio = Studio(bench)
    yield studio
    studio.close()


SEEN = {f"{n:03d}.png": ("succeeded", None) for n in range(COUNT)} | {
    "004.png": ("quarantined", "predict_failed")
}


def test_a_worker_without_engines_draws_the_same_pictures_and_rows_again(studio: Studio) -> None:
    job = studio.redraw()
    assert (job.kind, job.state, job.profile) == ("render", JobState.PARTIAL, None)
    assert [studio.part(job.id, seq) for seq in range(2)] == [
        studio.part("a", seq) for seq in range(2)
    ]
    assert len(studio.pictures("a")) == COUNT - 1
    assert studio.pictures(job.id) == studio.pictures("a")
    tally = studio.bench.tally(job.id)
    assert (tally.listed, tally.succeeded, tally.quarantined) == (COUNT, COUNT - 1, 1)
    assert studio.bench.db.read(lambda s: references.references_of(s, job.id)) == {"a": "redraws"}


def test_what_was_drawn_again_can_be_drawn_again(studio: Studio) -> None:
    job = studio.redraw(jpeg_quality=50)
    assert studio.pictures(job.id).keys() == studio.pictures("a").keys()
    assert studio.pictures(job.id) != studio.pictures("a")
    redrawing = check(studio.bench.db, job, {"jpeg_quality": 90})
    again = accept(studio.bench.db, redrawing, str(studio.bench.root / "outputs"))
    studio.plan(again)
    assert [studio.painter.run(hold) for hold in studio.queue(again)] == ["done", "done"]
    assert studio.pictures(again.id) == studio.pictures("a")


def test_a_job_that_drew_no_pictures_gets_some(studio: Studio) -> None:
    plain = studio.bench.read_job("a").options | {"annotate": False}
    studio.bench.db.write(lambda s: s.execute(update(Job).values(options=plain)))
    job = studio.redraw()
    assert JobOptions.from_json(job.options).drawing.annotate
    assert studio.pictures(job.id) == studio.pictures("a")


def test_changed_and_vanished_pictures_are_quarantined_and_a_retry_draws_what_is_back(
    studio: Studio,
) -> None:
    changed, gone = studio.source / "001.png", studio.source / "005.png"
    moved = gone.rename(studio.bench.root / "moved.png")
    write_item(studio.source, 1, size=(80, 60))
    job = studio.redraw()
    reasons = {"001.png": ("quarantined", "source_changed")}
    lost = reasons | {"005.png": ("quarantined", "source_missing")}
    assert studio.states(job) == SEEN | lost
    assert changed.exists()
    moved.rename(gone)
    studio.bench.db.write(lambda s: jobs.reopen(s, job.id, now=1000.0))
    assert [studio.painter.run(hold) for hold in studio.queue(job)] == ["done", "done"]
    assert studio.states(job) == SEEN | reasons
    assert studio.part(job.id, 1) == studio.part("a", 1)


@pytest.mark.parametrize(("harm", "said"), [("retry", "was run again"), ("removal", "are gone")])
def test_results_that_are_not_what_they_were_fail_the_job(
    studio: Studio, harm: str, said: str
) -> None:
    job = studio.accept()
    studio.plan(job)
    key = results_part(part_name(0))
    if harm == "retry":
        studio.output("a").put(key, studio.part("a", 1))
    else:
        studio.output("a").delete(key)
    hold = studio.queue(job)[0]
    assert studio.painter.run(hold) == "fatal"
    job = studio.bench.read_job(job.id)
    assert job.state is JobState.FAILING
    assert said in (job.error or "")


def test_a_job_that_runs_again_before_it_was_planned_is_not_drawn(studio: Studio) -> None:
    job = studio.accept()
    studio.bench.db.write(lambda s: jobs.reopen(s, "a", now=1000.0))
    assert studio.plan(job) == []
    job = studio.bench.read_job(job.id)
    assert job.error is not None
    assert job.error.startswith("cannot plan: job a runs again")


def test_shards_are_called_as_those_that_they_draw_and_planning_goes_on_behind_its_cursor(
    studio: Studio,
) -> None:
    # Of three parts the second is lost, and the last is of another item manifest.
    gap = update(Shard).where(Shard.job_id == "a", Shard.seq == 1)
    studio.bench.db.write(
        lambda s: s.execute(gap.values(seq=2, items_key="items/part-00001-3.parquet"))
    )
    studio.bench.output("a").put("items/part-00001-3.parquet", encode_items(studio.items[4:]))
    job = studio.accept()
    assert studio.planner.tick()
    assert [part_of(shard) for shard in studio.shards(job)] == ["000000"]
    studio.planner.close()
    shards = studio.plan(job)
    assert [(shard.seq, part_of(shard), shard.queue) for shard in shards] == [
        (0, "000000", "media"),
        (1, "000002", "media"),
    ]
    assert studio.bench.read_job(job.id).state is JobState.RUNNING
    for found in studio.output("a").list("items/"):
        assert studio.output(job.id).get(found.key) == studio.output("a").get(found.key)


def test_a_suspect_is_drawn_in_a_process_of_its_own(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGATTA_HOME", str(studio.bench.root))
    job = studio.accept()
    studio.plan(job)
    hold = studio.queue(job)[0]
    assert isinstance(studio.bench.claim(hold, offers=()), WorkUnit)
    assert studio.bench.fail(hold, Failure.PROCESS_DIED)
    studio.bench.clock.now += 60.0
    guilty = update(Shard).where(Shard.id == hold.shard).values(deaths={"2": 2})
    studio.bench.db.write(lambda s: s.execute(guilty))
    assert studio.painter.run(studio.queue(job)[0]) == "done"
    rows = {row["item"]: row for row in iter_rows(studio.part(job.id, 0))}
    assert rows["002.png"]["reason"].startswith("killed_process")
    drawn = studio.pictures(job.id)
    assert drawn == {
        key: data
        for key, data in studio.pictures("a").items()
        if key[10:13] in {"000", "001", "003"}
    }


def test_what_cannot_be_drawn_is_refused(studio: Studio) -> None:
    def refused(state: JobState | None = None, **said: Any) -> str:
        job = studio.bench.read_job("a")
        if state is not None:
            job.state = state
        with pytest.raises(UsageError) as caught:
            accept(studio.bench.db, check(studio.bench.db, job, said), "/nowhere")
        return str(caught.value)

    assert "has not ended: it is running" in refused(JobState.RUNNING)
    assert "--background means nothing to 'numbers'" in refused(background=(1, 2, 3))
    assert "lies in the source" in refused(output=f"{studio.source}/drawn")
    assert "already belongs to job a" in refused(output=str(studio.bench.root / "a"))
    moved = studio.source.rename(studio.bench.root / "moved")
    assert "there is no folder" in refused()
    moved.rename(studio.source)
    studio.bench.job("b", state=JobState.FAILED, selection=Selection().to_json())
    with pytest.raises(UsageError, match="no results to draw"):
        check(studio.bench.db, studio.bench.read_job("b"), {})


def test_options_are_those_of_the_job_but_for_what_is_said(studio: Studio) -> None:
    effective = {"numbers": {"task": "detect", "threshold": 0.5, "jpeg_quality": 90, "alpha": 0.5}}
    request = {"source": str(studio.source), "output": "/old", "annotate": True, "threshold": 0.5}
    known = update(Job).values(effective=effective, request=request, tags=["x"], priority=3)
    studio.bench.db.write(lambda s: s.execute(known))
    job = studio.accept(alpha=0.25, name="pale")
    old = studio.bench.read_job("a")
    assert job.options == old.options | {"alpha": 0.25}
    assert job.effective is not None
    expected = effective["numbers"] | {"alpha": 0.25, "annotate": True}
    assert expected.items() <= job.effective["numbers"].items()
    assert job.request == {"source": request["source"], "threshold": 0.5, "alpha": 0.25} | {
        "name": "pale"
    }
    assert (job.name, job.tags, job.priority, job.selection) == ("pale", ["x"], 3, old.selection)
    plain = {"numbers": {"task": "detect", "threshold": 0.5, "jpeg_quality": 90, "annotate": True}}
    studio.bench.db.write(lambda s: s.execute(update(Job).values(effective=plain)))
    with pytest.raises(UsageError, match="--alpha means nothing"):
        studio.accept(alpha=0.25)


def test_a_sample_and_a_format_and_labels_to_blur_can_be_asked_for(studio: Studio) -> None:
    job = studio.redraw(annotate=Sample(2), picture_format="png", redact=("even",))
    drawing = JobOptions.from_json(job.options).drawing
    assert (drawing.annotated, drawing.redact) == (Sample(2), ("even",))
    chosen = [number for number in range(COUNT) if Sample(2).includes(number, COUNT)]
    drawn = {f"annotated/{number:03d}.png.png" for number in chosen if number != 4}
    assert studio.pictures(job.id).keys() == drawn
    # Drawn again without a word it is the same sample, which may be widened.
    again = check(studio.bench.db, job, {})
    assert again.options.drawing == drawing
    wide = check(studio.bench.db, job, {"annotate": True}).options.drawing
    assert (wide.annotated, wide.redact) == (True, ("even",))


def test_rows_without_a_picture_are_kept(studio: Studio) -> None:
    job = studio.redraw(annotate=Sample(1))
    rows = [row for seq in range(2) for row in iter_rows(studio.part(job.id, seq))]
    assert len(rows) == COUNT
    assert sum(row["annotated"] is not None for row in rows) == len(studio.pictures(job.id)) == 1
    assert {row["item"]: row["state"] for row in rows} == {k: v[0] for k, v in SEEN.items()}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"annotate": False}, "without pictures does nothing"),
        ({"redact": ("evn",)}, "--redact: 'numbers' knows no 'evn'"),
        ({"picture_format": "png", "jpeg_quality": 9}, "--jpeg-quality means nothing to PNG"),
    ],
)
def test_what_a_redrawing_cannot_mean(studio: Studio, said: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        studio.accept(**said)


def test_labels_to_blur_are_not_taken_on_trust_when_the_model_is_gone(studio: Studio) -> None:
    model = studio.bench.root / "model"
    model.rename(studio.bench.root / "gone")
    assert studio.accept(line_width=3)
    with pytest.raises(UsageError, match="--redact needs the models' files"):
        studio.accept(redact=("even",))


def test_a_job_that_takes_results_over_draws_them_the_same(studio: Studio) -> None:
    """Other drawing options since: rows of the old job's indexes are drawn as the new job's."""
    again = studio.redraw(jpeg_quality=50)
    (studio.source / "001.png").unlink()
    old = studio.bench.read_job("a")
    studio.bench.job(
        "b",
        state=JobState.PLANNING,
        since_job="a",
        source=old.source,
        model=old.model,
        options=JobOptions.from_json(old.options).but(jpeg_quality=50).to_json(),
    )
    job = studio.bench.read_job("b")
    assert [shard.spec["indexes"] for shard in studio.plan(job) if shard.spec] == [[0, 2, 3], [5]]
    assert [studio.painter.run(hold) for hold in studio.queue(job)] == ["done", "done"]
    Settler(studio.bench.db).tick()
    assert studio.bench.read_job("b").state is JobState.SUCCEEDED
    wanted = studio.pictures(again.id)
    del wanted["annotated/001.png.jpg"]
    assert studio.pictures("b") == wanted
    rows = list(committed_rows(studio.bench.db, studio.bench.read_job("b")))
    assert [row["item"] for row in rows] == ["000.png", "002.png", "003.png", "005.png", "004.png"]
    assert rows[-1]["state"] == "quarantined"
