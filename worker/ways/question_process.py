"""Compares ways in a separate process, which may hang, die or take too long.

A wrong kernel may write where it shouldn't or end its process, so it must not run in the process
that holds shards. If a child dies of one way, another child tries the rest.
"""

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import structlog

from config.logs import configure_logs
from config.settings import load_settings
from core.errors import RegattaError
from core.ways import Way
from store.locations import use_s3
from store.s3.options import S3Options
from worker.assembly import use_process
from worker.engines.registry import engines_named
from worker.suspect_process import end_with_parent
from worker.suspects import FROM_OUTSIDE
from worker.ways.comparison import SECONDS, Comparison
from worker.ways.question import Pictures, Question

_LOOK_SECONDS = 0.1

_log = structlog.get_logger()


def ask_in_process(
    question: Question,
    pictures: Pictures,
    check: Callable[[], None] = lambda: None,
    *,
    seconds: float = SECONDS,
) -> Comparison:
    """Return a child process's answer, given within `seconds`; `check` is called now and then.

    Raises:
        RegattaError: the network can't be run plainly, or a picture can't be fetched.
    """
    until = time.monotonic() + seconds
    deadly: dict[str, Any] = {}
    while True:
        child = _Child(question, pictures)
        try:
            found = child.answer(check, until)
        finally:
            child.kill()
        if isinstance(found, RegattaError):
            raise found
        if isinstance(found, Comparison):
            return _with(found, deadly)
        if found is None:
            return Comparison(None, f"not compared within {seconds:g} s")
        _log.warning("a comparison ended its process", way=found.way, how=found.how)
        if found.way is None or found.is_from_outside:
            return Comparison(None, f"the process that compared died: {found.how}")
        deadly[found.way.value] = {"differences": {}, "wrong": f"ends its process: {found.how}"}
        question = replace(question, without=question.without | {found.way})


def _with(found: Comparison, deadly: dict[str, Any]) -> Comparison:
    """Return the answer with the ways that killed a child added."""
    if not deadly:
        return found
    report = {**found.report, "tried": {**deadly, **found.report.get("tried", {})}}
    if found.way is not Way.PLAIN:
        return replace(found, report=report)
    wrong = [f"{way}: {tried['wrong']}" for way, tried in report["tried"].items()]
    return Comparison(Way.PLAIN, "; ".join(wrong), report)


class _Death:
    """How a child died, and which way it was trying, if any."""

    def __init__(self, code: int, way: Way | None) -> None:
        self.way = way
        self.is_from_outside = -code in FROM_OUTSIDE
        self.how = signal.Signals(-code).name if code < 0 else f"exit code {code}"


class _Child:
    """A process that answers one question."""

    def __init__(self, question: Question, pictures: Pictures) -> None:
        # Spawned, never forked: a fork would copy locks that other threads hold.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(question, pictures, theirs), daemon=True
        )
        self._process.start()
        theirs.close()

    def answer(
        self, check: Callable[[], None], until: float
    ) -> Comparison | RegattaError | _Death | None:
        """Wait for the answer and return it; None if it doesn't come in time."""
        way: Way | None = None
        try:
            while True:
                check()
                if self._pipe.poll(_LOOK_SECONDS):
                    said = self._pipe.recv()
                    if not isinstance(said, Way):
                        answer: Comparison | RegattaError = said
                        return answer
                    way = said
                elif time.monotonic() > until:
                    return None
        except (EOFError, OSError):
            self._process.join()
            return _Death(self._process.exitcode or 0, way)

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(question: Question, pictures: Pictures, pipe: Connection) -> None:
    """Send each way before it is tried, and then the answer or the error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=end_with_parent, name="orphan", daemon=True).start()
    settings = load_settings()
    configure_logs(settings)
    use_s3(S3Options(**settings.s3))
    use_process()
    try:
        pipe.send(question.answer(engines_named(settings.engines), pictures, trying=pipe.send))
    except RegattaError as error:
        pipe.send(error)
