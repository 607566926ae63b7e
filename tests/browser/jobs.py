"""Jobs to report on: their rows, parts and pictures written by the store's own writers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sqlalchemy import update

from core.items import ItemRef
from core.layout import annotated_image, part_name, results_part
from core.options import SEVERAL, ModelRef
from core.profile import ExecutionProfile
from core.states import ItemState, JobState
from core.work import Counts, ShardResult
from predictions.detections import Detections
from sample.labels import LABELS
from sample.world import new_world
from store import leases
from store.parts import encode_rows
from store.results import ResultRow
from store.tables import Job
from tests.bench import Bench, rows_artefact
from vision.draw.detections import draw_detections
from vision.encode import encode_jpeg

MODEL = ModelRef(
    "regatta-detector",
    "detect",
    "9b74c9897bac770ffc029102a200c5de3f0b1d1c2d0f6f1a9e5b0c8e4d7a6b31",
    "s3://models/regatta-detector/2026-07",
)
PROFILE = ExecutionProfile(
    "paddle", "3.2.2", "cpu-avx512", "fp32", batch_size=8, threads=1, jpeg_quality=90
)
SIZES = ((640, 480), (960, 640), (800, 450), (480, 640))
HOSTILE = (
    "<script>document.title='owned'</script>.jpg",
    "\"><img src='https://example.com/x.png' onerror='document.title=1'>.jpg",
    "invoice\u202egpj.exe",
    "a-very-long-name-without-any-place-to-break-" + "x" * 180 + ".jpg",
    "a/very/long/path/" * 12 + "end.jpg",
    "🚣🏽 crew 🏁.jpg",
    "שלום עולם.jpg",
    "日本語の写真.jpg",
    "line\nbreak\t\x07.jpg",
    "__proto__",
)
TEXTS = ("Start 14:25", "due by 31 December", "x" * 300, "<b>STRASSE</b> & Größe")
HOSTILE_LABELS = (
    "<b onmouseover='document.title=1'>boat</b>",
    "a label of many words that goes on and on without an end " * 3,
    "\u202etaob",
    "W" * 90,
    "__proto__",
)


def fill(bench: Bench) -> None:
    """Add the jobs of all tests, each named for what is special about it."""
    _sailed(bench)
    _hostile(bench)
    _odd(bench)
    _without_pictures(bench)
    _running(bench)
    _several(bench)
    bench.job("new", state=JobState.PLANNING)
    bench.job("nothing", state=JobState.SUCCEEDED, **_ended(bench, 0.4))


def _sailed(bench: Bench) -> None:
    """A job as they should be: 1,200 items, six of them quarantined."""
    rng = np.random.default_rng(1)
    rows = [_seen(bench, "sailed", n, f"lane-{n % 6 + 1}/{n:05d}.jpg", rng) for n in range(64)]
    rows += [_unseen(n, f"lane-{n % 6 + 1}/{n:05d}.jpg", rng) for n in range(64, 1200)]
    for place, reason in (
        (70, "truncated: it ends in the middle of a scan line"),
        (301, "not_an_image: its first bytes are those of no image format"),
        (302, "not_an_image: its first bytes are those of no image format"),
        (640, "too_large: 31000x22000 is more than 250,000,000 pixels"),
        (811, "source_changed: its etag is another one than when it was listed"),
        (1102, "killed_process: its process died of it twice, alone"),
    ):
        rows[place] = ResultRow.quarantined(
            rows[place].item, task="detect", model=MODEL.name, reason=reason
        )
    sizes = [100] * 12
    bench.job("sailed", sizes, **_about("Saturday finals", tags=["finals", "2026"]))
    _commit(bench, "sailed", rows, sizes, rng)
    _end(bench, "sailed", JobState.PARTIAL)


def _hostile(bench: Bench) -> None:
    """A job whose names, labels and reasons want to be more than text."""
    rng = np.random.default_rng(2)
    rows = [
        _seen(bench, "hostile", n, name, rng, labels=HOSTILE_LABELS)
        for n, name in enumerate(HOSTILE)
    ]
    rows += [
        ResultRow.quarantined(
            ItemRef(len(HOSTILE) + n, name), task="detect", model="m", reason=f"{name}: {name}"
        )
        for n, name in enumerate(HOSTILE)
    ]
    rows = [replace(row, model=HOSTILE_LABELS[3]) for row in rows]
    bench.job(
        "hostile",
        [len(rows)],
        name=HOSTILE[3],
        source=HOSTILE[1],
        tags=list(HOSTILE),
        error=HOSTILE[4],
        passed_over={HOSTILE[0]: 3, "suffix": 12},
        model=ModelRef(HOSTILE_LABELS[3], "detect", "d" * 64, HOSTILE[1]).to_json(),
    )
    _commit(bench, "hostile", rows, [len(rows)], rng)
    _end(bench, "hostile", JobState.FAILED)


def _odd(bench: Bench) -> None:
    """A job that can be measured against itself, although its names and labels are hostile."""
    rng = np.random.default_rng(6)
    rows = [
        _seen(bench, "odd", n, name, rng, labels=HOSTILE_LABELS) for n, name in enumerate(HOSTILE)
    ]
    bench.job("odd", [len(rows)], **_about(HOSTILE[3]))
    _commit(bench, "odd", rows, [len(rows)], rng)
    _end(bench, "odd", JobState.SUCCEEDED)


def _without_pictures(bench: Bench) -> None:
    rng = np.random.default_rng(3)
    rows = [_unseen(n, f"{n}.jpg", rng) for n in range(40)]
    bench.job("bare", [40], **_about("No pictures were asked for"))
    _commit(bench, "bare", rows, [40], rng)
    _end(bench, "bare", JobState.SUCCEEDED)


def _running(bench: Bench) -> None:
    """A job of which the first shard is there; nothing was found in one of its three items."""
    rng = np.random.default_rng(4)
    rows = [_seen(bench, "running", n, f"{n}.jpg", rng) for n in range(2)]
    nothing = _found(2, "empty water.jpg", Detections.empty(LABELS))
    rows.append(nothing)
    bench.job("running", [3, 500], **_about("Sunday, still at sea"))
    _commit(bench, "running", rows, [3], rng)
    _set(bench, "running", profile=PROFILE.to_json())


def _several(bench: Bench) -> None:
    """A job of two models, one of which reads text; their names are long."""
    rng = np.random.default_rng(5)
    reader = ModelRef("a-reader-of-lines-with-a-long-name", "ocr", "e" * 64, "/models/reader")
    rows = []
    for n in range(4):
        seen = _seen(bench, "several", n, f"{n}.jpg", rng)
        lines = Detections(
            xyxy=np.zeros((2, 4), np.float32),
            scores=np.ones(2, np.float32),
            class_ids=np.zeros(2, np.int32),
            labels=("text",),
            texts=(f"Lane {n}", TEXTS[n]),
        )
        rows += [seen, replace(seen, task="ocr", model=reader.name, detections=lines)]
    both = ModelRef.composed("both", SEVERAL, {one.name: one for one in (MODEL, reader)})
    bench.job("several", [4], **_about("Two models", model=both.to_json()))
    _commit(bench, "several", rows, [8], rng)
    _end(bench, "several", JobState.SUCCEEDED)


def _about(name: str, **values: Any) -> dict[str, Any]:
    return {
        "name": name,
        "source": "s3://photos/2026/finals/",
        "model": MODEL.to_json(),
        "version": "0.1.0",
        **values,
    }


def _ended(bench: Bench, seconds: float) -> dict[str, Any]:
    now = bench.clock.now
    return {"started_at": now, "finished_at": now + seconds}


def _end(bench: Bench, job: str, state: JobState) -> None:
    _set(bench, job, state=state, finished_at=bench.clock.now, profile=PROFILE.to_json())


def _set(bench: Bench, job: str, **values: Any) -> None:
    bench.db.write(lambda s: s.execute(update(Job).where(Job.id == job).values(**values)))


def _commit(
    bench: Bench,
    job: str,
    rows: Sequence[ResultRow],
    sizes: Sequence[int],
    rng: np.random.Generator,
) -> None:
    """Write the rows as parts and commit them, one shard after the other."""
    start = 0
    for seq, size in enumerate(sizes):
        part = rows[start : start + size]
        hold = bench.run(job)
        bench.output(job).put(results_part(part_name(seq)), encode_rows(part))
        seconds = max(1.0, size / 60 * float(rng.uniform(0.8, 1.6)))
        bench.clock.now += seconds
        counts = Counter(row.state for row in part)
        committed = ShardResult(
            (rows_artefact(hold, seq=seq),),
            Counts(counts[ItemState.SUCCEEDED], 0, counts[ItemState.QUARANTINED]),
            {
                "fetch": 0.31 * seconds,
                "decode": 0.55 * seconds,
                "predict": 1.72 * seconds,
                "finish": 0.48 * seconds,
                "upload": 0.12 * seconds,
            },
        )
        done = bench.db.write(
            lambda s, hold=hold, committed=committed: leases.commit(  # type: ignore[misc]
                s, hold, committed, now=bench.clock.now
            )
        )
        assert done
        bench.publish(hold)
        start += size


def _seen(
    bench: Bench,
    job: str,
    index: int,
    key: str,
    rng: np.random.Generator,
    *,
    labels: tuple[str, ...] = LABELS,
) -> ResultRow:
    """A row with a picture of the sample world, in which a detector found most things."""
    scene = new_world(7_000 + index, SIZES[index % len(SIZES)]).scene()
    things = [thing for thing in scene.things if rng.random() < 0.95]
    found = Detections(
        xyxy=np.array([thing.box for thing in things], np.float32).reshape(-1, 4),
        scores=_scores(rng, len(things)),
        class_ids=np.array([thing.class_id for thing in things], np.int32),
        labels=labels,
    )
    drawn = draw_detections(scene.image, found)
    bench.output(job).put(annotated_image(key), encode_jpeg(drawn, 90))
    return _found(index, key, found, annotated=annotated_image(key))


def _unseen(index: int, key: str, rng: np.random.Generator) -> ResultRow:
    """A row without a picture."""
    count = int(rng.poisson(3.5))
    found = Detections(
        xyxy=np.zeros((count, 4), np.float32),
        scores=_scores(rng, count),
        class_ids=rng.choice(len(LABELS), count, p=[0.16, 0.48, 0.14, 0.15, 0.07]).astype(np.int32),
        labels=LABELS,
    )
    return _found(index, key, found)


def _scores(rng: np.random.Generator, count: int) -> Any:
    return np.clip(rng.beta(6, 1.8, count), 0.4, 1).astype(np.float32)


def _found(
    index: int,
    key: str,
    found: Detections,
    *,
    annotated: str | None = None,
) -> ResultRow:
    return ResultRow(
        item=ItemRef(index, key, size=9),
        task="detect",
        model=MODEL.name,
        state=ItemState.SUCCEEDED,
        width=640,
        height=480,
        detections=found,
        annotated=annotated,
    )
