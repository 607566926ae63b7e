from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from cli.show.live import render
from cli.show.progress import LineView
from cli.show.wording import beginning, done_of, progress_line, waiting_for
from core.wording import count, duration

Captured = pytest.CaptureFixture[str]


def seen(**changes: Any) -> dict[str, Any]:
    items = {"listed": 10, "succeeded": 3, "skipped": 0, "quarantined": 1, "cancelled": 0}
    base = {
        "id": "abc",
        "kind": "infer",
        "name": "p\x1b[2J",
        "state": "running",
        "items": {**items, "pending": 6},
        "in_progress": 2,
        "shards": {"done": 2, "running": 1, "failed": 0},
        "rate": 12.34,
        "eta_seconds": 75.0,
        "queue_without_consumer": None,
        "trouble": None,
        "needs_newer": None,
        "profile_without_worker": None,
        "offered_instead": [],
        "left_out": [],
        "stages": {},
    }
    return base | changes


def test_a_line_says_it_all() -> None:
    assert progress_line(seen()) == (
        "running: 6/10 items, 12.3/s, ETA 1m 15s, 1 quarantined, shards: 2 done, 1 running"
    )
    shares = {"decode": 0.25, "predict": 0.75}
    assert progress_line(seen(stages=shares)).endswith(", work: decode 25%  predict 75%")
    assert progress_line(seen(state="planning")).startswith("planning: 6/10+ items")


def test_what_was_carried_over_is_said() -> None:
    items = {"listed": 0, "quarantined": 0, "carried": 1200}
    assert progress_line(seen(items=items, state="succeeded", listing_ended=True)) == (
        "succeeded: nothing is new, 1,200 carried over"
    )
    some = seen(items=seen()["items"] | {"carried": 1200})
    assert ", 1 quarantined, 1,200 carried over, shards: " in progress_line(some)


def test_cancelled_items_are_not_done() -> None:
    items = {"listed": 1200, "succeeded": 70, "skipped": 4, "quarantined": 6, "cancelled": 1120}
    ended = seen(state="cancelled", items=items | {"pending": 0}, in_progress=0)
    assert done_of(ended) == 80
    assert progress_line(ended).startswith("cancelled: 80/1,200 items")


def test_what_a_cold_start_is_doing_is_said(capsys: Captured) -> None:
    none = {"listed": 0, "succeeded": 0, "skipped": 0, "quarantined": 0, "cancelled": 0}
    listed = none | {"listed": 10, "pending": 10}
    begun = {"in_progress": 0, "rate": None, "eta_seconds": None}
    view = LineView(lambda: 0.0)
    view.show(seen(state="planning", items=none | {"pending": 0}, shards={}, **begun))
    waits = seen(items=listed, shards={"pending": 1}, queue_without_consumer="detect", **begun)
    loads = seen(items=listed, shards={"running": 1}, **begun)
    for snapshot in (waits, waits, loads, loads, seen()):
        view.show(snapshot)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "planning: nothing is listed yet",
        "running: 0/10 items, -, ETA -, 0 quarantined, shards: 1 pending",
        "  the worker is starting",
        "  the worker loads the model",
    ]
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(render(loads, is_warm=False))
    assert "the worker loads the model" in capture.get()
    with console.capture() as capture:
        console.print(
            render(seen(state="planning", items=none | {"pending": 0}, **begun), is_warm=False)
        )
    assert "listing" in capture.get()
    assert "0/0" not in capture.get()


def test_lines_come_when_the_state_changes_or_some_seconds_have_passed(capsys: Captured) -> None:
    times: Iterator[float] = iter([0.0, 0.0, 1.0, 2.0, 4.9, 7.1, 30.0])
    view = LineView(lambda: next(times))
    with view:
        view.show(seen())
        view.show(seen())
        view.show(seen(state="paused"))
        view.show(seen(state="paused"))
        view.show(seen(state="paused"))
        view.show(seen(state="paused", queue_without_consumer="detect"))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines[:4]] == ["running", *["paused"] * 3]
    assert "no live worker serves the queue 'detect'" in lines[4]


def test_both_views_say_that_no_worker_offers_the_jobs_profile(capsys: Captured) -> None:
    waits = seen(
        queue_without_consumer="detect",
        profile_without_worker="paddle/3.2.2/cpu-avx512/fp32",
        offered_instead=["paddle/3.2.2+r2/cpu-avx512/fp32"],
    )
    times: Iterator[float] = iter([0.0, 1.0, 30.0])
    view = LineView(lambda: next(times))
    view.show(waits)
    assert "no live worker" not in capsys.readouterr().err  # one may just be starting
    view.show(waits)
    console = Console(width=300, color_system=None)
    with console.capture() as capture:
        console.print(render(waits, is_warm=True))
    for text in (capsys.readouterr().err, capture.get()):
        assert "no live worker offers paddle/3.2.2/cpu-avx512/fp32" in text
        assert "`regatta retry abc --reprofile`" in text
        assert "serves the queue" not in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_live_view_fits_and_is_harmless(width: int) -> None:
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(
            render(seen(queue_without_consumer="detect", stages={"predict": 1.0}), is_warm=True)
        )
    text = capture.get()
    assert all(len(line) <= width for line in text.splitlines())
    assert "\x1b[2J" not in text
    assert "no live worker" in text
    assert "predict 100%" in text


def test_words_for_numbers() -> None:
    assert [duration(s) for s in (None, 0.04, 9.94, 42.4, 59.7, 185, 7620)] == [
        *("-", "0.0s", "9.9s", "42s", "1m 00s", "3m 05s", "2h 07m"),
    ]
    assert [count(1, "item"), count(2000, "item")] == ["1 item", "2,000 items"]


def test_a_device_that_is_left_out_is_said_at_once() -> None:
    device = {"host": "h", "device": "cpu", "engine": "paddle/3", "failures": 3, "error": "gone"}
    waits = seen(queue_without_consumer="detect", left_out=[{**device, "since": "2026-01-31"}])
    said = beginning(waits)
    assert said == waiting_for(waits)
    assert said is not None
    assert "no worker is left for this job: cpu of h is left out since 2026-01-31" in said
    assert "start `regatta` (up, run or worker) there anew" in said


def test_queues_and_workers_follow_now_and_then(capsys: Captured) -> None:
    worker = {"worker": "h:1", "device": "cpu-avx2", "slots": 2, "shards": 2, "rate": 9.0}
    queue = {"queue": "detect", "waiting": 3, "queued": 0, "running": 2, "workers": 1}
    fleet = {"queues": [queue], "workers": [worker | {"draining": False}]}
    times = iter((0.0, 0.0, 6.0, 31.0))
    view = LineView(lambda: next(times))
    told = seen(
        fleet=fleet, eta_between=[60.0, 90.0], stages={"fetch": 1}, stage_rates={"fetch": 5}
    )
    for _ in range(3):
        view.show(told)
    said = capsys.readouterr().err
    assert said.count("  queue detect: 3 waiting, 2 running, 1 worker\n") == 2
    assert said.count("  worker h:1 cpu-avx2: 2 of 2 slots, 9/s\n") == 2
    assert said.count("ETA 1m 15s (1m 00s to 1m 30s)") == 3
    assert "work: fetch 100% (5/s)" in said
    console = Console(width=80)
    with console.capture() as drawn:
        console.print(render(told, is_warm=True))
    assert max(map(len, drawn.get().splitlines())) <= 80
    assert "queue detect: 3 waiting" in drawn.get()
