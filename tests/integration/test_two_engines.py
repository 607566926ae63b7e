"""One job whose networks run on two engines, from the heartbeat to the rows."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from core.batching import NetworkTraits, Shapes
from core.layout import part_name, results_part
from core.options import SEVERAL, ModelRef
from core.profile import Offered
from core.work import Hold
from scheduler.profiles import Profiler
from store.devices import Device
from store.manifests import encode_items
from store.parts import iter_rows
from store.processes import WORKER, Heartbeat
from tests.bench import OFFER, Bench
from tests.workshop import Network, models_of, write_item, write_model
from worker.engines.registry import Engines
from worker.health import DeviceHealth
from worker.kinds.known import known_kinds
from worker.lease_keeper import LeaseKeeper
from worker.pipeline.drawing import Drawing
from worker.pipeline.pipeline import Pipeline, Threads
from worker.shard import ShardRunner
from worker.ways.chooser import WayChooser

OTHER = replace(OFFER, engine="other")
COUNT = 9


class Job:
    """A job of two models, each of which was measured to be faster on another engine."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.engines = {offer: Network(offer=offer) for offer in (OFFER, OTHER)}
        self.drawing = Drawing(fetch=1, draw=1, upload=1)
        self.pipelines: list[Pipeline] = []
        parts = {
            name: replace(write_model(bench.root / name, labels=("even", name)), name=name)
            for name in ("first", "second")
        }
        self.model = ModelRef.composed("both", SEVERAL, parts)
        items = [write_item(bench.root / "source", number) for number in range(COUNT)]
        traits = {
            parts["first"].digest: NetworkTraits(Shapes.SHARED),
            parts["second"].digest: NetworkTraits(Shapes.SHARED, largest_batch=2),
        }
        bench.job(
            "a",
            [COUNT],
            source=f"{bench.root / 'source'}/",
            model=self.model.to_json(),
            networks={digest: one.to_json() for digest, one in traits.items()},
            profile=None,
        )
        bench.output("a").put("items/part-00000-1.parquet", encode_items(items))
        first, second = (part.digest for part in parts.values())
        offered = (
            Offered(OFFER, rank=1.0, batch=4, measured={first: 2.0}),
            Offered(OTHER, rank=1.0, measured={second: 2.0}),
        )
        bench.worker("both", offers=offered)
        assert Profiler(bench.db, worker_ttl=30).tick() == 1

    def queue(self) -> Hold:
        [hold] = self.bench.queue("a")
        return hold

    def worker(self, *networks: Network) -> ShardRunner:
        """One that has these engines."""
        threads = Threads(fetch=1, decode=1, predict=1, finish=1, upload=1)
        self.pipelines.append(Pipeline(models_of(*networks, replicas=1), threads))
        engines = Engines(networks)
        return ShardRunner(
            db=self.bench.db,
            kinds=known_kinds(
                self.bench.db,
                self.pipelines[-1],
                WayChooser(self.bench.db, engines),
                self.drawing,
                stall_seconds=60.0,
            ),
            keeper=LeaseKeeper(
                self.bench.db,
                Heartbeat("w", WORKER, "h", 1, "0"),
                lease_seconds=30.0,
                heartbeat_seconds=1000.0,
                stall_seconds=60.0,
            ),
            worker_id="w",
            offers=engines.offers,
            lease_seconds=30.0,
            max_tries=3,
            draining=lambda: False,
            health=DeviceHealth(self.bench.db, Device("h", "cpu"), end=lambda: None),
        )


@pytest.fixture
def job(bench: Bench) -> Iterator[Job]:
    job = Job(bench)
    yield job
    for pipeline in job.pipelines:
        pipeline.close()
    job.drawing.close()


def test_each_network_runs_on_its_own_engine_in_batches_of_its_own(job: Job) -> None:
    worker = job.worker(*job.engines.values())
    assert worker.run(job.queue()) == "done"
    rows = iter_rows(job.bench.output("a").get(results_part(part_name(0))))
    assert [(row["item"], row["model"], row["state"]) for row in rows] == [
        (f"{number:03d}.png", name, "succeeded")
        for number in range(COUNT)
        for name in ("first", "second")
    ]
    sizes = {
        offer.engine: {len(batch) for batch in network.batches}
        for offer, network in job.engines.items()
    }
    assert sizes == {"null": {4}, "other": {2}}
    for network in job.engines.values():
        assert {number for batch in network.batches for number in batch} == set(range(COUNT))


@pytest.mark.parametrize("offer", [OFFER, OTHER], ids=["one", "the other"])
def test_a_worker_that_has_one_of_the_engines_refuses(job: Job, offer: object) -> None:
    [network] = [one for known, one in job.engines.items() if known == offer]
    assert job.worker(network).run(job.queue()) == "unsuited"
    assert job.bench.states("a") == ["pending"]
    assert network.loaded == 0


def test_the_profile_names_both_engines_and_keeps_the_ways(job: Job) -> None:
    worker = job.worker(*job.engines.values())
    worker.run(job.queue())
    profile = job.bench.read_job("a").profile
    assert profile is not None
    assert profile["engine"] == "null+other"
    assert {one["engine"] for one in profile["per_network"].values()} == {"null", "other"}
    ways = {digest: said["way"] for digest, said in profile["networks"].items()}
    assert ways == {part.digest: "plain" for part in job.model.parts.values()}
