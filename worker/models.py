"""The models that are resident in this process."""

import importlib
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol, cast

import structlog

from core.errors import FatalError, UsageError
from core.options import JobOptions, ModelRef
from core.profile import EngineOffer, ExecutionProfile
from core.ways import Way
from store.locations import split_location
from vision.exports.export import export_digest, read_export
from vision.exports.exported import ExportedModel
from vision.exports.input_shapes import LINES, are_shared
from worker.engines.protocol import Predictor
from worker.networks.by_task import network_of
from worker.networks.network import Network
from worker.recipes.by_model import recipe_of
from worker.recipes.recipe import ALONE, Recipe

PLAINLY: Mapping[str, Way] = MappingProxyType({})
"""The ways of networks that all run plainly."""

_RESIDENT = 6  # networks kept loaded; least recently used out first

_log = structlog.get_logger()


class _Key(NamedTuple):
    """What a loaded network is shared by; `alone` if it is a whole model."""

    digest: str
    profile: ExecutionProfile
    alone: bool
    way: Way


@dataclass(frozen=True, slots=True)
class Member:
    """A model that gives an item a row: its loaded networks, by their roles, and its recipe."""

    name: str
    task: str
    recipe: Recipe
    networks: Mapping[str, "ResidentNetwork"]


@dataclass(frozen=True, slots=True)
class ResidentModel:
    """What a job runs: one model, or several beside each other."""

    members: tuple[Member, ...]

    @property
    def networks(self) -> list["ResidentNetwork"]:
        """All loaded networks, once for each use of them."""
        return [network for member in self.members for network in member.networks.values()]

    def revisits(self, options: JobOptions) -> bool:
        """Whether a member looks at a picture again after its first asks."""
        return any(member.recipe.revisits(options) for member in self.members)

    @property
    def batch_size(self) -> int:
        """The largest batch size in force of its networks."""
        return max(network.batch_size for network in self.networks)

    @property
    def halved_to(self) -> int | None:
        """The smallest batch size that a lack of memory left a network with, None if it did not."""
        halved = [one.batch_size for one in self.networks if one.batch_size < one.wanted]
        return min(halved, default=None)


class ResidentNetwork:
    """A loaded network: one predictor per predictor thread, and the batch size in force.

    `batch_size` shrinks from what is `wanted` when memory runs out, and stays so for this process.
    """

    def __init__(
        self,
        key: _Key,
        export: ExportedModel,
        predictors: Sequence[Predictor],
    ) -> None:
        self.key = key
        self.export = export
        self.network = network_of(export)
        self.predictors = predictors
        self.wanted = wanted_batch_size(export, key.profile, alone=key.alone)
        self.batch_size = self.wanted
        self.users = 0

    def shrink(self, batch_size: int) -> bool:
        """Remember that no larger batch fits into memory; False if that was known."""
        if batch_size >= self.batch_size:
            return False
        self.batch_size = batch_size
        return True


class Models:
    """Loads models, checks that they are the registered ones, and keeps a few networks."""

    def __init__(self, engine: "EngineModule", *, replicas: int) -> None:
        self._engine = engine
        self._replicas = replicas
        self._lock = threading.Lock()
        self._networks: OrderedDict[_Key, ResidentNetwork] = OrderedDict()

    def acquire(
        self, ref: ModelRef, profile: ExecutionProfile, ways: Mapping[str, Way] = PLAINLY
    ) -> ResidentModel:
        """Return the model, loaded, and keep it until it is released as often.

        `ways` says how to run the networks with these digests; all others run plainly.

        Raises:
            FatalError: it is not there, not the registered one, or the engine can't load it.
        """
        used: list[ResidentNetwork] = []
        with self._lock:
            try:
                members = tuple(self._member(one, profile, ways, used) for one in ref.members)
            except BaseException:
                for network in used:
                    network.users -= 1
                raise
        return ResidentModel(members)

    def release(self, model: ResidentModel) -> None:
        """Say that a run is done with a model; it stays resident."""
        with self._lock:
            for network in model.networks:
                network.users -= 1

    def close(self) -> None:
        """Free every network."""
        with self._lock:
            for network in self._networks.values():
                _close(network)
            self._networks.clear()

    def _member(
        self,
        ref: ModelRef,
        profile: ExecutionProfile,
        ways: Mapping[str, Way],
        used: list["ResidentNetwork"],
    ) -> Member:
        """Load a model; `used` gets each network that has it as one more user."""
        networks = {}
        for role, part in parts_of(ref).items():
            way = ways.get(part.digest, Way.PLAIN)
            networks[role] = self._network(part, _Key(part.digest, profile, part is ref, way))
            used.append(networks[role])
        recipe = recipe_for(ref, {role: one.network for role, one in networks.items()})
        return Member(ref.name, ref.task, recipe, networks)

    def _network(self, ref: ModelRef, key: _Key) -> ResidentNetwork:
        """Return a network with one more user."""
        network = self._networks.get(key)
        if network is None:
            self._evict()
            network = self._networks[key] = self._load(ref, key)
        self._networks.move_to_end(key)
        network.users += 1
        return network

    def _evict(self) -> None:
        idle = [key for key, network in self._networks.items() if not network.users]
        for key in idle[: max(0, len(self._networks) - _RESIDENT + 1)]:
            _close(self._networks.pop(key))

    def _load(self, ref: ModelRef, key: _Key) -> ResidentNetwork:
        export = registered_export(ref)
        predictors = self._engine.load_predictors(
            export.model_file,
            export.params_file,
            profile=key.profile,
            way=key.way,
            count=self._replicas,
        )
        _log.info(
            "model loaded",
            model=ref.name,
            digest=ref.digest[:12],
            way=key.way.value,
            predictors=len(predictors),
        )
        return ResidentNetwork(key, export, predictors)


def parts_of(ref: ModelRef) -> Mapping[str, ModelRef]:
    """Return the exports that a model consists of, by their roles."""
    return ref.parts or {ALONE: ref}


def registered_export(ref: ModelRef) -> ExportedModel:
    """Return an export as it lies there, after a look at its digest.

    Raises:
        FatalError: it is not there, or not the registered one.
    """
    try:
        directory = Path(*split_location(ref.location))
        export = read_export(directory)
        digest = export_digest(directory)
    except UsageError as error:
        raise FatalError(f"model {ref.name}: {error}", hint=error.hint) from error
    if digest != ref.digest:
        raise FatalError(
            f"model {ref.name} at {directory} is not the one this job was submitted with: "
            f"its digest is {digest[:12]}, not {ref.digest[:12]}",
            hint="put the model's files back, or submit a new job",
        )
    return export


def recipe_for(ref: ModelRef, networks: Mapping[str, Network]) -> Recipe:
    """Return the recipe of a model of these networks, by their roles.

    Raises:
        FatalError: they don't fit together, or this version knows no such model.
    """
    try:
        return recipe_of(ref, networks)
    except UsageError as error:
        raise FatalError(f"model {ref.name}: {error}", hint=error.hint) from error


def wanted_batch_size(export: ExportedModel, profile: ExecutionProfile, *, alone: bool) -> int:
    """How many inputs one run takes, if memory suffices; `alone` if it is a whole model."""
    if export.largest_batch is not None:
        return min(profile.batch_size, export.largest_batch)
    # What one network of a model gets in a shape of its own would be a batch of copies of itself.
    if export.task == LINES:
        # Of several widths; half a batch of one is full sooner, and no slower by the line.
        return max(1, profile.batch_size // 2)
    # A whole model's batch size is what the planner or a person said.
    return profile.batch_size if alone or are_shared(export) else 1


def _close(network: ResidentNetwork) -> None:
    for predictor in network.predictors:
        predictor.close()


class EngineModule(Protocol):
    """A module that runs networks, as the setting `engine` names it."""

    def offers(self) -> tuple[EngineOffer, ...]:
        """What this process can run."""
        ...

    def ways(self, model_file: Path) -> tuple[Way, ...]:
        """Name the ways beside the plain one in which a graph may run right, the fastest first."""
        ...

    def load_predictors(
        self,
        model_file: Path,
        params_file: Path,
        *,
        profile: ExecutionProfile,
        way: Way,
        count: int,
    ) -> Sequence[Predictor]:
        """Load a network once for each of `count` threads, to be run in this way."""
        ...


def engine_module(dotted: str) -> EngineModule:
    """Import the module that runs networks.

    Raises:
        UsageError: there is none of that name, or it is no engine.
    """
    try:
        module = importlib.import_module(dotted)
    except ImportError as error:
        raise UsageError(
            f"the engine {dotted!r} cannot be imported: {error}",
            hint="set REGATTA_ENGINE to a module, or leave it unset",
        ) from error
    missing = [name for name in ("offers", "ways", "load_predictors") if not hasattr(module, name)]
    if missing:
        raise UsageError(f"the engine {dotted!r} has no {' and no '.join(missing)}")
    return cast("EngineModule", module)
