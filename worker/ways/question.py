"""The question that a comparison of ways answers, and its pictures; both can be pickled."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from core.errors import BadInputError
from core.items import ItemRef
from core.options import JobOptions, ModelRef
from core.profile import ExecutionProfile, NetworkProfile
from core.tasks import LEAST_LINE_SCORE
from core.ways import Way
from core.work import WorkUnit
from sample.pictures import sample_pictures
from vision.exports.exported import ExportedModel, fixed_shapes
from vision.read.picture import read_picture
from worker.engines.protocol import ModelFiles, Predictor
from worker.engines.registry import Engines
from worker.models import (
    network_profile,
    parts_of,
    recipe_for,
    registered_export,
)
from worker.networks.by_task import network_of
from worker.networks.detector import Detector
from worker.networks.network import Pixels
from worker.networks.pose_network import BottomUp
from worker.pipeline.items import fetch
from worker.recipes.recipe import WHOLE
from worker.ways.comparison import SECONDS, Compared, Comparison, compare
from worker.ways.rehearsal import Rehearsal, solo_recipe

ONLY_PLAIN = "no faster way of this engine runs this graph right"

_UNSAID = JobOptions.of(max_pixels=10**9, max_item_bytes=10**9, jpeg_quality=90)
"""Options that leave results at their defaults, with limits that no sample picture reaches."""


class Pictures(Protocol):
    """A series of upright pictures."""

    def __iter__(self) -> Iterator[Pixels]:
        """Return the pictures that can be read."""
        ...


@dataclass(frozen=True, slots=True)
class SamplePictures:
    """The sample pictures that Regatta draws itself for a task."""

    task: str

    def __iter__(self) -> Iterator[Pixels]:
        """See `sample.pictures`."""
        return sample_pictures(self.task)


@dataclass(frozen=True, slots=True)
class ShardPictures:
    """The first pictures of a shard, in listing order."""

    unit: WorkUnit
    items: tuple[ItemRef, ...]

    def __iter__(self) -> Iterator[Pixels]:
        """Yield the pictures that can be read; the others' rows will say what is wrong."""
        limits = self.unit.options.limits
        for item in self.items:
            try:
                data = fetch(item, self.unit)
                found = read_picture(data, max_pixels=limits.max_pixels, is_lenient=limits.lenient)
                yield found.pixels
            except BadInputError:
                continue


@dataclass(frozen=True, slots=True)
class Question:
    """In which way should the network with this role in the model run?

    `is_part` says that the model, which jobs may run only as a part of another, is tried alone.
    `without` are the ways known to end their process.
    """

    model: ModelRef
    role: str
    profile: ExecutionProfile
    options: JobOptions = _UNSAID
    is_part: bool = False
    without: frozenset[Way] = frozenset()

    @classmethod
    def alone(cls, export: ModelRef, profile: ExecutionProfile) -> "Question":
        """Return the question about an export tried alone, whatever it is a part of."""
        return cls(export, WHOLE, profile, is_part=True)

    @property
    def digest(self) -> str:
        """The digest of the network."""
        return parts_of(self.model)[self.role].digest

    @property
    def network_profile(self) -> NetworkProfile:
        """What the network runs on, and how.

        Raises:
            FatalError: the graph had to be inspected and is missing.
        """
        return self._network_profile(self.role)

    def _network_profile(self, role: str) -> NetworkProfile:
        is_whole = not self.model.parts
        return network_profile(parts_of(self.model)[role], self.profile, is_whole=is_whole)

    def ways(self, engines: Engines) -> list[Way]:
        """Return the ways beside the plain one that are worth comparing.

        Raises:
            FatalError: the network is missing or not the registered one, or this process has no
                engine for it.
        """
        export = registered_export(parts_of(self.model)[self.role])
        engine = engines.of(self.network_profile.offer)
        return [way for way in engine.ways(export.model_file) if way not in self.without]

    def answer(
        self,
        engines: Engines,
        pictures: Iterable[Pixels],
        *,
        seconds: float = SECONDS,
        trying: Callable[[Way], None] = lambda _: None,
    ) -> Comparison:
        """Compare the network's ways in this process; see `worker.ways.comparison.compare`."""
        exports = {name: registered_export(part) for name, part in parts_of(self.model).items()}
        ways = self.ways(engines)
        if not ways:
            return Comparison(Way.PLAIN, ONLY_PLAIN)
        networks = {name: network_of(one) for name, one in exports.items()}

        def load(name: str, way: Way) -> Predictor:
            one, profile = exports[name], self._network_profile(name)
            [predictor] = engines.of(profile.offer).load(
                ModelFiles(one.model_file, one.params_file),
                profile,
                way=way,
                sizes=fixed_shapes(one),
                count=1,
            )
            return predictor

        what = Compared(
            self.role,
            ways,
            rows=isinstance(networks[self.role], Detector | BottomUp),
            batch_size=self.network_profile.batch_size,
            threshold=self._threshold(exports),
        )
        if self.is_part:
            recipe = solo_recipe(self.model, networks[WHOLE])
        else:
            recipe = recipe_for(self.model, networks)
        rehearsal = Rehearsal(recipe, networks, self.options)
        return compare(what, rehearsal, networks, load, pictures, seconds=seconds, trying=trying)

    def _threshold(self, exports: Mapping[str, ExportedModel]) -> float:
        """Return the score above which the model keeps detections."""
        if self.options.rows.threshold is not None:
            return self.options.rows.threshold
        if self.model.task == "ocr":
            return LEAST_LINE_SCORE
        return max((e.threshold for e in exports.values() if e.task == "detect"), default=0.0)
