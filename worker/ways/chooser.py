"""Chooses the way in which each network of a job runs, when the first shard needs it.

Once chosen, a way is fixed for the job, so that every rerun of a shard gives the same bytes. It
follows from the verdict on that network and engine. If there is no verdict yet, the ways are
compared on the first pictures of the shard at hand; if these prove nothing, the network runs
plainly in this job, and the next job compares again.
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
from worker.ways.question_process import ask_in_process

COMPARE = "compare"
"""The name of the seconds spent on comparisons in a shard's timings, if it made any."""

_log = structlog.get_logger()

Ask = Callable[[Question, Pictures, Callable[[], None]], Comparison]
"""Answers a question on pictures; now and then calls the last argument, which may raise."""


def _go_on() -> None:
    """Do nothing: a starting worker may wait."""


def _forget(_seconds: float) -> None:
    """Do nothing: nobody counts the seconds of a starting worker."""


class WayChooser:
    """Chooses ways; one comparison runs at a time in a process."""

    def __init__(self, db: Database, engines: Engines, ask: Ask = ask_in_process) -> None:
        self._db = db
        self._engines = engines
        self._ask = ask
        self._lock = threading.Lock()

    def choose(self, run: ShardRun, items: Sequence[ItemRef]) -> Mapping[str, Way]:
        """Return the ways of a shard's networks by digest, and record them in its job.

        Raises:
            StoppedError: the job has got another profile meanwhile.
            RegattaError: a network can't be loaded, or the run was stopped or can't go on.
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
        """Return the ways of a model's networks, comparing them on sample pictures if necessary.

        Raises:
            FatalError: a network can't be loaded.
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
        """Return what is known about a network, comparing its ways if nothing is."""
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
