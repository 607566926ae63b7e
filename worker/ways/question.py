"""What a comparison of a network's ways is asked, and on which pictures; all of it travels."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from core.errors import BadInputError
from core.items import ItemRef
from core.options import JobOptions, ModelRef
from core.profile import ExecutionProfile, NetworkProfile
from core.ways import Way
from core.work import WorkUnit
from sample.pictures import sample_pictures
from vision.decode import decode_image
from vision.exports.exported import ExportedModel, fixed_shapes
from vision.exports.text import LEAST_LINE_SCORE
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
from worker.recipes.recipe import ALONE
from worker.ways.comparison import SECONDS, Compared, Comparison, compare
from worker.ways.rehearsal import Rehearsal, solo_recipe

ONLY_PLAIN = "no faster way of this engine runs this graph right"

_UNSAID = JobOptions.of(max_pixels=10**9, max_item_bytes=10**9, jpeg_quality=90)
"""Options where nobody said anything about results; sample pictures meet no limit."""


class Pictures(Protocol):
    """Upright pictures, one after the other."""

    def __iter__(self) -> Iterator[Pixels]:
        """Return those that can be read."""
        ...


@dataclass(frozen=True, slots=True)
class SamplePictures:
    """Those that Regatta draws itself, for a task."""

    task: str

    def __iter__(self) -> Iterator[Pixels]:
        """See `sample.pictures`."""
        return sample_pictures(self.task)


@dataclass(frozen=True, slots=True)
class ShardPictures:
    """The first of a shard's, in listing order."""

    unit: WorkUnit
    items: tuple[ItemRef, ...]

    def __iter__(self) -> Iterator[Pixels]:
        """Return those that can be read; of the others, their rows will say it."""
        for item in self.items:
            try:
                data = fetch(item, self.unit)
                yield decode_image(data, max_pixels=self.unit.options.limits.max_pixels)
            except BadInputError:
                continue


@dataclass(frozen=True, slots=True)
class Question:
    """In which way does the network run that has this role in the model?

    `is_part` says that the model is shown alone what jobs would run only as a part of another.
    `without` are the ways that are known to end their process.
    """

    model: ModelRef
    role: str
    profile: ExecutionProfile
    options: JobOptions = _UNSAID
    is_part: bool = False
    without: frozenset[Way] = frozenset()

    @classmethod
    def alone(cls, export: ModelRef, profile: ExecutionProfile) -> "Question":
        """The question about an export that is shown pictures alone, whatever it is a part of."""
        return cls(export, ALONE, profile, is_part=True)

    @property
    def digest(self) -> str:
        """The network's."""
        return parts_of(self.model)[self.role].digest

    @property
    def network_profile(self) -> NetworkProfile:
        """What the network runs on, and how.

        Raises:
            FatalError: the graph had to be looked at, and is not there.
        """
        return self._network_profile(self.role)

    def _network_profile(self, role: str) -> NetworkProfile:
        is_whole = not self.model.parts
        return network_profile(parts_of(self.model)[role], self.profile, is_whole=is_whole)

    def ways(self, engines: Engines) -> list[Way]:
        """Return the ways beside the plain one that are worth a comparison.

        Raises:
            FatalError: the network is not there, or not the registered one, or this process has no
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
            recipe = solo_recipe(self.model, networks[ALONE])
        else:
            recipe = recipe_for(self.model, networks)
        rehearsal = Rehearsal(recipe, networks, self.options)
        return compare(what, rehearsal, networks, load, pictures, seconds=seconds, trying=trying)

    def _threshold(self, exports: Mapping[str, ExportedModel]) -> float:
        """Return the score above which the model keeps what it finds."""
        if self.options.rows.threshold is not None:
            return self.options.rows.threshold
        if self.model.task == "ocr":
            return LEAST_LINE_SCORE
        return max((e.threshold for e in exports.values() if e.task == "detect"), default=0.0)
