"""Which way each network of a job runs, found out by whoever needs to know it first.

The way is the job's own once it is chosen: it goes by the verdict on that network and engine, so
that every rerun of a shard gives the same bytes. Where nobody has given a verdict yet, the first
pictures of the shard at hand are what the ways are compared on; what they do not tell stays plain
in this job, and the next one compares again.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import structlog

from core.errors import BadInputError
from core.items import ItemRef
from core.options import JobOptions, ModelRef
from core.profile import ExecutionProfile
from core.ways import Way
from core.work import Directive, WorkUnit
from sample.pictures import sample_pictures
from store.database import Database
from store.profiles import freeze_way
from store.verdicts import Verdict, give_verdict, verdict_of
from vision.decode import decode_image
from vision.exported import ExportedModel
from worker.comparison import SECONDS, Compared, Comparison, compare
from worker.detector import Detector
from worker.models import (
    EngineModule,
    parts_of,
    recipe_for,
    registered_export,
    wanted_batch_size,
)
from worker.network import Network, Pixels
from worker.networks import network_of
from worker.pose_network import BottomUp
from worker.predictors.protocol import Predictor
from worker.reading import THRESHOLD as LINE_THRESHOLD
from worker.recipe import Recipe
from worker.rehearsal import Rehearsal
from worker.run import ShardRun, StoppedError
from worker.source import fetch

_log = structlog.get_logger()

_UNSAID = JobOptions(max_pixels=10**9, max_item_bytes=10**9, jpeg_quality=90)
"""Options where nobody said anything about results; sample pictures meet no limit."""


class WayChooser:
    """Chooses ways; one of a process compares at a time."""

    def __init__(self, db: Database, engine: EngineModule, *, seconds: float = SECONDS) -> None:
        self._db = db
        self._engine = engine
        self._seconds = seconds
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
                    found = self._known(run, member, role, items)
                    ways[part.digest] = self._frozen(unit, part.digest, found)
        return ways

    def choose_for(self, ref: ModelRef, profile: ExecutionProfile) -> Mapping[str, Way]:
        """Return the ways of a model's networks, compared on sample pictures where need be.

        Raises:
            FatalError: a network cannot be loaded.
        """
        return right_ways(self._engine, ref, profile, partial(self._verdict, profile))

    def _frozen(self, unit: WorkUnit, digest: str, found: Comparison) -> Way:
        way = found.way or Way.PLAIN
        stands = self._db.write(
            lambda s: freeze_way(s, unit.job, unit.profile_number, digest, way, found.why)
        )
        if stands is None:
            raise StoppedError(Directive.HAND_BACK)
        return stands

    def _known(
        self, run: ShardRun, member: ModelRef, role: str, items: Sequence[ItemRef]
    ) -> Comparison:
        unit, digest = run.unit, parts_of(member)[role].digest
        if unit.suspect:
            # It may be the comparison that its process died of.
            verdict = self._db.read(lambda s: verdict_of(s, digest, unit.profile.offer.key))
            if verdict is None:
                return Comparison(Way.PLAIN, "not compared: a process that ran it died")
            return _said(verdict)

        def compared() -> Comparison:
            comparer = Comparer(self._engine, member, unit.profile, unit.options)
            pictures = _pictures(unit, items)
            return comparer.compare(role, pictures, seconds=self._seconds, check=run.check)

        with self._lock:
            return self._verdict(unit.profile, digest, compared)

    def _verdict(
        self, profile: ExecutionProfile, digest: str, compared: Callable[[], Comparison]
    ) -> Comparison:
        """Return what is known of a network, after a comparison if nothing was."""
        engine = profile.offer.key
        known = self._db.read(lambda s: verdict_of(s, digest, engine))
        if known is not None:
            return _said(known)
        found = compared()
        _log.info("ways compared", digest=digest[:12], way=found.way, why=found.why)
        if found.way is None or not found.report:
            return found
        verdict = partial(Verdict, digest, engine, found.way, {"why": found.why, **found.report})
        return _said(
            self._db.write(lambda s: give_verdict(s, verdict(compared_at=self._db.now(s))))
        )


def _without_memory(_digest: str, compared: Callable[[], Comparison]) -> Comparison:
    return compared()


def right_ways(
    engine: EngineModule,
    ref: ModelRef,
    profile: ExecutionProfile,
    verdict: Callable[[str, Callable[[], Comparison]], Comparison] = _without_memory,
) -> Mapping[str, Way]:
    """Return the ways of a model's networks, by their digests, as sample pictures tell.

    `verdict` may know a digest's outcome without the comparison that it is given.

    Raises:
        FatalError: a network cannot be loaded.
    """
    ways: dict[str, Way] = {}
    for member in ref.members:
        for role, part in parts_of(member).items():
            comparer = Comparer(engine, member, profile)
            compared = partial(comparer.compare, role, sample_pictures(member.task))
            ways[part.digest] = verdict(part.digest, compared).way or Way.PLAIN
    return ways


class Comparer:
    """Compares the networks of one model on pictures."""

    def __init__(
        self,
        engine: EngineModule,
        ref: ModelRef,
        profile: ExecutionProfile,
        options: JobOptions = _UNSAID,
        recipe: Callable[[ModelRef, Mapping[str, Network]], Recipe] = recipe_for,
    ) -> None:
        self._engine = engine
        self._ref = ref
        self._profile = profile
        self._options = options
        self._recipe = recipe

    def compare(
        self,
        role: str,
        pictures: Iterable[Pixels],
        *,
        seconds: float = SECONDS,
        check: Callable[[], None] = lambda: None,
    ) -> Comparison:
        """Compare the network that has this role; see `worker.comparison.compare`."""
        exports = {name: registered_export(part) for name, part in parts_of(self._ref).items()}
        export = exports[role]
        ways = self._engine.ways(export.model_file)
        if not ways:
            return Comparison(Way.PLAIN, "no faster way of this engine runs this graph right")
        networks = {name: network_of(one) for name, one in exports.items()}

        def load(name: str, way: Way) -> Predictor:
            [predictor] = self._engine.load_predictors(
                exports[name].model_file,
                exports[name].params_file,
                profile=self._profile,
                way=way,
                count=1,
            )
            return predictor

        what = Compared(
            role,
            ways,
            rows=isinstance(networks[role], Detector | BottomUp),
            batch_size=wanted_batch_size(export, self._profile, alone=not self._ref.parts),
            threshold=self._threshold(exports),
        )
        rehearsal = Rehearsal(self._recipe(self._ref, networks), networks, self._options)
        return compare(what, rehearsal, networks, load, pictures, seconds=seconds, check=check)

    def _threshold(self, exports: Mapping[str, ExportedModel]) -> float:
        """The score above which the model keeps what it finds."""
        if self._options.threshold is not None:
            return self._options.threshold
        if self._ref.task == "ocr":
            return LINE_THRESHOLD
        return max((e.threshold for e in exports.values() if e.task == "detect"), default=0.0)


def _said(verdict: Verdict) -> Comparison:
    return Comparison(verdict.way, str(verdict.report["why"]), verdict.report)


def _pictures(unit: WorkUnit, items: Sequence[ItemRef]) -> Iterator[Pixels]:
    """The pictures of a shard that can be read, one after the other."""
    for item in items:
        try:
            yield decode_image(fetch(item, unit), max_pixels=unit.options.max_pixels)
        except BadInputError:
            continue  # its row will say it
