"""Loads models and keeps them resident in this process."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import structlog

from core.batching import NetworkTraits
from core.errors import FatalError, RegattaError, UsageError
from core.options import JobOptions, ModelRef
from core.profile import ExecutionProfile, NetworkProfile
from core.ways import Way
from store.locations import split_location
from vision.exports.export import export_digest, read_export
from vision.exports.exported import ExportedModel, fixed_shapes, network_traits, traits_of
from vision.ops.preprocess import Prepared
from worker.engines.protocol import LoadError, ModelFiles, OutOfMemoryError, Predictor
from worker.engines.registry import Engines
from worker.networks.by_task import network_of
from worker.networks.network import Network
from worker.recipes.by_model import recipe_of
from worker.recipes.recipe import WHOLE, Recipe

PLAINLY: Mapping[str, Way] = MappingProxyType({})
"""Ways for a model whose networks all run plainly."""

_log = structlog.get_logger()


class _Key(NamedTuple):
    """Identifies a loaded network: users with the same key share it."""

    digest: str
    profile: NetworkProfile
    way: Way


@dataclass(frozen=True, slots=True)
class Member:
    """One model of a job: its loaded networks by role, and its recipe. Each gives an item a row."""

    name: str
    task: str
    recipe: Recipe
    networks: Mapping[str, "ResidentNetwork"]


@dataclass(frozen=True, slots=True)
class ResidentModel:
    """What a job runs: one model, or several side by side."""

    members: tuple[Member, ...]

    @property
    def networks(self) -> list["ResidentNetwork"]:
        """All loaded networks, once for each use."""
        return [network for member in self.members for network in member.networks.values()]

    def revisits(self, options: JobOptions) -> bool:
        """Return whether any member looks at a picture again after its first asks."""
        return any(member.recipe.revisits(options) for member in self.members)

    @property
    def batch_size(self) -> int:
        """The largest of its networks' current batch sizes."""
        return max(network.batch_size for network in self.networks)

    @property
    def halved_to(self) -> int | None:
        """The smallest batch size that a lack of memory cut a network to; None if none was cut."""
        halved = [one.batch_size for one in self.networks if one.batch_size < one.wanted]
        return min(halved, default=None)


class ResidentNetwork:
    """A loaded network: one predictor per predictor thread, and its current batch size.

    `batch_size` starts at `wanted`, and shrinks for the rest of this process when memory runs out.
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
        self.wanted = key.profile.batch_size
        self.batch_size = self.wanted
        self.known_good: Prepared | None = None  # the first input that succeeded

    @property
    def memory_bytes(self) -> int:
        """The memory that its predictors hold."""
        return sum(predictor.memory_bytes for predictor in self.predictors)

    def shrink(self, batch_size: int) -> bool:
        """Remember that no larger batch fits into memory; False if that was known already."""
        if batch_size >= self.batch_size:
            return False
        self.batch_size = batch_size
        return True


@dataclass(slots=True, eq=False)
class _Place:
    """A slot for a network that is loaded or being loaded; `users` hold it or wait for it."""

    users: int = 0
    loading: Future[ResidentNetwork] = field(default_factory=Future)

    @property
    def resident(self) -> ResidentNetwork | None:
        """The network, if it is loaded."""
        return self.loading.result() if self.loading.done() else None


class Models:
    """Loads models, checks that they are the registered ones, and keeps those used last.

    Networks are kept while they take no more than `memory_bytes` together, as their engines state
    it: the memory of a whole process says nothing about any one of them. Networks in use always
    stay. Loading one never blocks another, and is done once however many ask for it.
    """

    def __init__(self, engines: Engines, *, replicas: int, memory_bytes: int) -> None:
        self._engines = engines
        self._replicas = replicas
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()  # never held while anything loads
        self._places: OrderedDict[_Key, _Place] = OrderedDict()

    def acquire(
        self, ref: ModelRef, profile: ExecutionProfile, ways: Mapping[str, Way] = PLAINLY
    ) -> ResidentModel:
        """Return the model, loaded, and keep it until it has been released as often.

        `ways` says how to run networks, by digest; all others run plainly.

        Raises:
            FatalError: it is missing or not the registered one, or this process has no such engine.
            LoadError: its engine can't load it.
            OutOfMemoryError: there isn't enough memory right now.
        """
        used: list[ResidentNetwork] = []
        try:
            members = tuple(self._member(one, profile, ways, used) for one in ref.members)
        except BaseException:
            self._let_go(used)
            raise
        return ResidentModel(members)

    def release(self, model: ResidentModel) -> None:
        """Release a model that a run has finished with; it stays resident while there is room."""
        self._let_go(model.networks)

    def close(self) -> None:
        """Free every network."""
        with self._lock:
            for place in self._places.values():
                if (resident := place.resident) is not None:
                    _close(resident)
            self._places.clear()

    def _member(
        self,
        ref: ModelRef,
        profile: ExecutionProfile,
        ways: Mapping[str, Way],
        used: list[ResidentNetwork],
    ) -> Member:
        """Load a model, and append each network that it becomes a user of to `used`."""
        networks = {}
        for role, part in parts_of(ref).items():
            runs_on = network_profile(part, profile, is_whole=part is ref)
            key = _Key(part.digest, runs_on, ways.get(part.digest, Way.PLAIN))
            networks[role] = self._network(part, key)
            used.append(networks[role])
        recipe = recipe_for(ref, {role: one.network for role, one in networks.items()})
        return Member(ref.name, ref.task, recipe, networks)

    def _network(self, ref: ModelRef, key: _Key) -> ResidentNetwork:
        """Return a network with one more user; this thread loads it unless another one does."""
        with self._lock:
            place = self._places.get(key)
            is_mine = place is None
            if place is None:
                place = self._places[key] = _Place()
            self._places.move_to_end(key)
            place.users += 1
        if is_mine:
            self._fill(place, ref, key)
        # If the loader fails, so does everyone who waited for it; later callers try again.
        return place.loading.result()

    def _fill(self, place: _Place, ref: ModelRef, key: _Key) -> None:
        try:
            resident = self._load(ref, key)
        except BaseException as error:
            with self._lock:
                del self._places[key]
            place.loading.set_exception(error)
            return
        with self._lock:
            place.loading.set_result(resident)
            self._make_room()

    def _let_go(self, networks: Sequence[ResidentNetwork]) -> None:
        with self._lock:
            for network in networks:
                self._places[network.key].users -= 1

    def _make_room(self) -> None:
        """Close the least recently used networks until the rest fits.

        This happens only after a load, so that a network too large for the limit isn't reloaded for
        each shard.
        """
        held = {key: one for key, place in self._places.items() if (one := place.resident)}
        excess = sum(one.memory_bytes for one in held.values()) - self._memory_bytes
        for key, one in held.items():
            if excess <= 0:
                return
            if not self._places[key].users:
                del self._places[key]
                excess -= one.memory_bytes
                _close(one)
                _log.info("model unloaded", digest=key.digest[:12])

    def _load(self, ref: ModelRef, key: _Key) -> ResidentNetwork:
        export = registered_export(ref)
        offer = key.profile.offer
        try:
            predictors = self._engines.of(offer).load(
                ModelFiles(export.model_file, export.params_file),
                key.profile,
                way=key.way,
                sizes=fixed_shapes(export),
                count=self._replicas,
            )
        except RegattaError:
            raise
        except MemoryError as error:
            raise OutOfMemoryError(f"model {ref.name!r} does not fit into memory") from error
        except Exception as error:
            raise LoadError(offer.key, f"model {ref.name!r} can't be loaded: {error!r}") from error
        _log.info(
            "model loaded",
            model=ref.name,
            digest=ref.digest[:12],
            way=key.way.value,
            predictors=len(predictors),
        )
        return ResidentNetwork(key, export, predictors)


def parts_of(ref: ModelRef) -> Mapping[str, ModelRef]:
    """Return the exports that a model consists of, by role."""
    return ref.parts or {WHOLE: ref}


def registered_export(ref: ModelRef) -> ExportedModel:
    """Return an export from disk after checking its digest.

    Raises:
        FatalError: it is missing, or not the registered one.
    """
    export = _export(ref)
    directory = Path(*split_location(ref.location))
    try:
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
    """Return the recipe of a model made of these networks, which are given by role.

    Raises:
        FatalError: they don't fit together, or this version knows no such model.
    """
    try:
        return recipe_of(ref, networks)
    except UsageError as error:
        raise FatalError(f"model {ref.name}: {error}", hint=error.hint) from error


def network_profile(part: ModelRef, profile: ExecutionProfile, *, is_whole: bool) -> NetworkProfile:
    """Return what one of a job's networks runs on, and how.

    Profiles of earlier releases don't say so per network: the batch size is then what that release
    derived from the graph. `is_whole` says that the network is a model by itself.

    Raises:
        FatalError: the graph had to be inspected and is missing.
    """
    if part.digest in profile.networks:
        return profile.networks[part.digest]
    traits = traits_of(_export(part), is_whole=is_whole)
    return NetworkProfile(profile.offer, traits.batch_size(profile.batch_size), profile.threads)


def traits_in(ref: ModelRef) -> dict[str, NetworkTraits]:
    """Return the traits that decide the batch sizes of a model's networks, by digest.

    Raises:
        FatalError: an export is missing.
    """
    return network_traits(ref, map(_export, ref.exports))


def _export(ref: ModelRef) -> ExportedModel:
    try:
        return read_export(Path(*split_location(ref.location)))
    except UsageError as error:
        raise FatalError(f"model {ref.name}: {error}", hint=error.hint) from error


def _close(network: ResidentNetwork) -> None:
    for predictor in network.predictors:
        predictor.close()
