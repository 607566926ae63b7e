import signal

import pytest

from cli.interrupt import hand_back, terminate_as_interrupt
from core.states import JobState
from tests.bench import Bench

Captured = pytest.CaptureFixture[str]


def test_pauses_and_waits_until_nothing_runs(
    bench: Bench, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.job("abc", [1, 1])
    hold = bench.run("abc")
    waits: list[float] = []

    def worker_hands_back(seconds: float) -> None:
        waits.append(seconds)
        bench.hand_back(hold)

    monkeypatch.setattr("cli.interrupt.time.sleep", worker_hands_back)
    hand_back(bench.db, "abc", patience=1000)
    assert len(waits) == 1
    assert bench.read_job("abc").state is JobState.PAUSED
    assert bench.states("abc") == ["pending", "pending"]
    assert "go on with: regatta run --resume abc" in capsys.readouterr().err


def test_a_second_interrupt_leaves_at_once(
    bench: Bench, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.job("abc", [1])
    bench.run("abc")

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.interrupt.time.sleep", interrupt)
    hand_back(bench.db, "abc", patience=1000)
    assert bench.read_job("abc").state is JobState.PAUSED
    assert "regatta run --resume abc" in capsys.readouterr().err


def test_patience_ends(bench: Bench) -> None:
    bench.job("abc", [1])
    bench.run("abc")
    hand_back(bench.db, "abc", patience=0)
    assert bench.states("abc") == ["running"]


def test_a_job_that_had_just_ended(bench: Bench, capsys: Captured) -> None:
    bench.job("abc", [1], state=JobState.SUCCEEDED)
    hand_back(bench.db, "abc", patience=0)
    assert "job abc had just ended: succeeded" in capsys.readouterr().err


def test_a_polite_kill_is_an_interrupt() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminate_as_interrupt():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
