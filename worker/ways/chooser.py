"""Which way each network of a job runs, found out by whoever needs to know it first.

The way is the job's own once it is chosen: it goes by the verdict on that network and engine, so
that every rerun of a shard gives the same bytes. Where nobody has given a verdict yet, the first
pictures of the shard at hand are what the ways are compared on; what they do not tell stays plain
in this job, and the next one compares again.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import structlog

from core.items import ItemRef
from core.options import ModelRef
from core.profile import ExecutionProfile
from core.ways import Way
from core.work import Directive, WorkUnit
from store.database import Database
from store.profiles import freeze_way
from store.verdicts import Verdict, give_verdict, verdict_of
from worker.engines.registry import Engines
from worker.models import parts_of
from worker.run import ShardRun, StoppedError
from worker.ways.comparison import MOST_LOOKED_AT, Comparison
from worker.ways.question import ONLY_PLAIN, Pictures, Question, SamplePictures, ShardPictures
from worker.ways.question_process import ask_alone

COMPARE = "compare"
"""Under which name a shard's timings have the seconds of its comparisons, if it made any."""

_log = structlog.get_logger()

Ask = Callable[[Question, Pictures, Callable[[], None]], Comparison]
"""Answers a question on pictures; calls the last argument now and then, which may raise."""


def _go_on() -> None:
    """Nothing keeps a worker that starts from waiting."""


def _forget(_seconds: float) -> None:
    """Nobody counts the seconds of a worker that starts."""


class WayChooser:
    """Chooses ways; one of a process compares at a time."""

    def __init__(self, db: Database, engines: Engines, ask: Ask = ask_alone) -> None:
        self._db = db
        self._engines = engines
        self._ask = ask
        self._lock = threading.Lock()

    def choose(self, run: ShardRun, items: Sequence[ItemRef]) -> Mapping[str, Way]:
        """Return the ways of a shard's networks by their digests, and note them in its job.

        Raises:
            StoppedError: the job has another profile by now.
            RegattaError: a network cannot be loaded, or the run was stopped or can't go on.
        """
        unit = run.unit
        ways = dict(unit.ways)
        for member in unit.model.members:
            for role, part in parts_of(member).items():
                if part.digest not in ways:
                    question = Question(member, role, unit.profile, unit.options)
                    pictures = ShardPictures(unit, tuple(items[:MOST_LOOKED_AT]))
                    spent = partial(run.moved, COMPARE)
                    found = self._answer(question, pictures, run.check, spent)
                    ways[part.digest] = self._frozen(unit, part.digest, found)
        return ways

    def choose_for(self, ref: ModelRef, profile: ExecutionProfile) -> Mapping[str, Way]:
        """Return the ways of a model's networks, compared on sample pictures where need be.

        Raises:
            FatalError: a network cannot be loaded.
        """
        ways: dict[str, Way] = {}
        for export in ref.exports:
            found = self._answer(Question.alone(export, profile), SamplePictures(export.task))
            ways[export.digest] = found.way or Way.PLAIN
        return ways

    def _frozen(self, unit: WorkUnit, digest: str, found: Comparison) -> Way:
        way = found.way or Way.PLAIN
        stands = self._db.write(
            lambda s: freeze_way(s, unit.job, unit.profile_number, digest, way, found.why)
        )
        if stands is None:
            raise StoppedError(Directive.HAND_BACK)
        return stands

    def _answer(
        self,
        question: Question,
        pictures: Pictures,
        check: Callable[[], None] = _go_on,
        spent: Callable[[float], None] = _forget,
    ) -> Comparison:
        """Return what is known of a network, after a comparison if nothing was."""
        engine = question.network_profile.offer.key
        with self._lock:
            known = self._db.read(lambda s: verdict_of(s, question.digest, engine))
            if known is not None:
                return _said(known)
            if not question.ways(self._engines):
                return Comparison(Way.PLAIN, ONLY_PLAIN)
            begun = time.monotonic()
            found = self._ask(question, pictures, check)
            spent(time.monotonic() - begun)
        level = _log.info if found.way not in {None, Way.PLAIN} else _log.warning
        level("ways compared", network=question.digest[:12], way=found.way, why=found.why)
        if found.way is None:
            return found
        report = {"why": found.why, **found.report}
        verdict = partial(Verdict, question.digest, engine, found.way, report)
        return _said(
            self._db.write(lambda s: give_verdict(s, verdict(compared_at=self._db.now(s))))
        )


def _said(verdict: Verdict) -> Comparison:
    return Comparison(verdict.way, str(verdict.report["why"]), verdict.report)
