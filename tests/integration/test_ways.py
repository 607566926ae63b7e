"""Which way a job's networks run: compared, written down, obeyed. The network is scripted."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import FatalError
from core.items import ItemRef
from core.options import ModelRef
from core.profile import NetworkProfile, Offered
from core.ways import Way
from core.work import Directive
from store.profiles import leave_profile
from store.verdicts import Verdict, give_verdict, verdict_of
from tests.bench import OFFER, PROFILE, Bench
from tests.workshop import new_run, work_unit, write_item, write_model
from worker.engines.protocol import ModelFiles, OutOfMemoryError, PredictError, Sizes
from worker.engines.registry import Engines
from worker.recipes.recipe import WHOLE
from worker.run import ShardRun, StoppedError
from worker.ways.chooser import COMPARE, WayChooser
from worker.ways.question import Question, ShardPictures

ENGINE = OFFER.key
FAST, UNPLACED, PLAIN = Way.ONEDNN, Way.ONEDNN_UNPLACED, Way.PLAIN


@dataclass
class Kernels:
    """An engine whose ways find the box of each picture a bit to the right: by `off` pixels.

    A way's `trouble` is raised when it runs; the network finds nothing on the pictures in `empty`,
    but for ways and pictures in `seen`.
    """

    off: Mapping[Way, float] = field(default_factory=dict)
    trouble: Mapping[Way, Exception] = field(default_factory=dict)
    unloadable: frozenset[Way] = frozenset()
    empty: frozenset[int] = frozenset()
    seen: frozenset[tuple[Way, int]] = frozenset()
    possible: tuple[Way, ...] = (FAST, UNPLACED)
    before: Callable[[Way], None] = lambda _: None
    loaded: list[Way] = field(default_factory=list)
    closed: list[Way] = field(default_factory=list)
    batches: list[tuple[Way, int]] = field(default_factory=list)

    def offers(self) -> tuple[Offered, ...]:
        return (Offered(OFFER),)

    def ways(self, model_file: Path) -> tuple[Way, ...]:
        assert model_file.is_file()
        return self.possible

    def load(
        self, model: ModelFiles, profile: NetworkProfile, *, way: Way, sizes: Sizes, count: int
    ) -> "list[Kernel]":
        assert count == 1
        if way in self.unloadable:
            raise FatalError("no such operator")
        self.loaded.append(way)
        return [Kernel(self, way)]


class Kernel:
    input_names = ("image",)
    memory_bytes = 0

    def __init__(self, kernels: Kernels, way: Way) -> None:
        self._kernels, self._way = kernels, way

    def predict(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        kernels, numbers = self._kernels, [int(n) for n in feeds["image"][:, 0, 0, 0]]
        kernels.batches.append((self._way, len(numbers)))
        kernels.before(self._way)
        if self._way in kernels.trouble:
            raise kernels.trouble[self._way]
        off = kernels.off.get(self._way, 0.0)
        empty = kernels.empty - {n for way, n in kernels.seen if way is self._way}
        seen = [n for n in numbers if n not in empty]
        rows = [[n % 2, 0.9, n + off, n, n + 1 + off, n + 2] for n in seen]
        counts = [n not in empty for n in numbers]
        return [np.array(rows, np.float32).reshape(-1, 6), np.array(counts, np.int32)]

    def close(self) -> None:
        self._kernels.closed.append(self._way)


def chooser_of(bench: Bench, kernels: Kernels) -> WayChooser:
    """One that compares in this process, where the kernels are."""
    return WayChooser(
        bench.db,
        Engines([kernels]),
        lambda question, pictures, _: question.answer(Engines([kernels]), pictures),
    )


class Site:
    """A job `a` over eight pictures, one shard of which is about to run."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.source = bench.root / "source"
        self.model = write_model(bench.root / "model")
        self.items = [write_item(self.source, number) for number in range(8)]
        bench.job("a", [8], model=self.model.to_json())

    def run(self, **changes: Any) -> ShardRun:
        unit = work_unit(self.model, source=self.source, output=self.bench.root, **changes)
        return new_run(unit)

    def choose(
        self,
        kernels: Kernels,
        items: list[ItemRef] | None = None,
        **changes: Any,
    ) -> Way:
        chooser = chooser_of(self.bench, kernels)
        ways = chooser.choose(self.run(**changes), self.items if items is None else items)
        assert list(ways) == [self.model.digest]
        return ways[self.model.digest]

    @property
    def verdict(self) -> Verdict | None:
        return self.bench.db.read(lambda s: verdict_of(s, self.model.digest, ENGINE))

    @property
    def frozen(self) -> Mapping[str, Any]:
        profile = self.bench.read_job("a").profile
        assert profile is not None
        networks: Mapping[str, Any] = profile.get("networks", {})
        return networks.get(self.model.digest, {})


@pytest.fixture
def site(bench: Bench) -> Site:
    return Site(bench)


def test_a_way_that_is_right_is_taken(site: Site) -> None:
    kernels = Kernels(off={FAST: 0.2})
    assert site.choose(kernels) is FAST
    assert site.verdict is not None
    assert (site.verdict.way, site.verdict.report["with_results"]) == (FAST, 4)
    assert site.verdict.report["tried"]["onednn"]["wrong"] is None
    why = "compared on 4 pictures: boxes 0"
    assert site.frozen == {"way": "onednn", "why": why}
    assert sorted(kernels.closed) == sorted(kernels.loaded) == [FAST, PLAIN]


def test_a_batch_of_the_size_of_a_jobs_is_compared_too(site: Site) -> None:
    kernels = Kernels()
    site.choose(kernels)
    assert kernels.batches.count((FAST, PROFILE.batch_size)) == 1
    assert kernels.batches.count((PLAIN, PROFILE.batch_size)) == 1


def test_where_time_is_short_one_picture_has_to_suffice(site: Site) -> None:
    kernels = Kernels(empty=frozenset({0, 1}))
    found = Question(site.model, WHOLE, PROFILE).answer(
        Engines([kernels]), ShardPictures(site.run().unit, tuple(site.items)), seconds=0.0
    )
    assert (found.way, found.report["pictures"], found.report["with_results"]) == (FAST, 3, 1)
    assert {size for _, size in kernels.batches} == {1}


def test_the_next_way_is_tried_where_one_is_wrong(site: Site) -> None:
    assert site.choose(Kernels(off={FAST: 3.0})) is UNPLACED
    assert site.verdict is not None
    assert site.verdict.report["tried"]["onednn"]["wrong"] == "differs: boxes 1"
    assert site.verdict.report["tried"]["onednn"]["differences"]["boxes"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        Kernels(off={FAST: 3.0, UNPLACED: -3.0}),
        Kernels(unloadable=frozenset({FAST, UNPLACED})),
        Kernels(trouble=dict.fromkeys((FAST, UNPLACED), PredictError("not implemented"))),
    ],
    ids=["differ", "cannot be loaded", "cannot be run"],
)
def test_where_all_are_wrong_the_network_runs_plain(site: Site, wrong: Kernels) -> None:
    assert site.choose(wrong) is PLAIN
    assert site.verdict is not None
    assert site.verdict.way is PLAIN
    assert site.frozen["way"] == "plain"
    assert str(site.frozen["why"]).startswith("onednn: ")


def test_pictures_on_which_nothing_is_found_prove_nothing(site: Site) -> None:
    kernels = Kernels(off={FAST: 9.0}, empty=frozenset(range(8)))
    assert site.choose(kernels) is PLAIN
    assert site.verdict is None
    assert site.frozen == {"way": "plain", "why": "nothing was found on 8 pictures"}
    # This job stays with it; another one finds out.
    assert site.choose(Kernels()) is PLAIN
    site.bench.job("b", [8], model=site.model.to_json())
    assert site.choose(Kernels(), job="b") is FAST


def test_what_is_found_where_plainly_nothing_is_proves_a_way_wrong(site: Site) -> None:
    """Only a picture on which neither finds anything is no verdict."""
    kernels = Kernels(empty=frozenset(range(8)), seen=frozenset({(FAST, 3), (UNPLACED, 5)}))
    assert site.choose(kernels) is PLAIN
    assert site.verdict is not None
    assert site.verdict.report["tried"]["onednn"]["wrong"] == "differs: boxes 1"


def test_pictures_without_finds_are_passed_over(site: Site) -> None:
    assert site.choose(Kernels(off={FAST: 9.0}, empty=frozenset(range(7)))) is UNPLACED
    assert site.verdict is not None
    assert (site.verdict.report["pictures"], site.verdict.report["with_results"]) == (8, 1)


def test_pictures_that_cannot_be_read_are_passed_over(site: Site) -> None:
    (site.source / "000.png").write_bytes(b"nothing")
    gone = replace(site.items[1], key="gone.png")
    assert site.choose(Kernels(), [site.items[0], gone, *site.items[2:]]) is FAST
    assert site.choose(Kernels(), [gone]) is FAST  # by the verdict


def test_a_shard_counts_the_seconds_of_its_comparisons(site: Site) -> None:
    run, chooser = site.run(), chooser_of(site.bench, Kernels())
    chooser.choose(run, site.items)
    assert run.seconds.keys() == {COMPARE}
    again = site.run()
    chooser.choose(again, site.items)
    assert again.seconds == {}


def test_a_verdict_is_obeyed_without_a_comparison(site: Site) -> None:
    given = Verdict(site.model.digest, ENGINE, UNPLACED, {"why": "compared"}, 1.0)
    site.bench.db.write(lambda s: give_verdict(s, given))
    kernels = Kernels()
    assert site.choose(kernels) is UNPLACED
    assert kernels.loaded == []


def test_the_first_verdict_stands(site: Site) -> None:
    first = Verdict(site.model.digest, ENGINE, PLAIN, {"why": "onednn: differs"}, 1.0)

    def faster(_: Way) -> None:
        site.bench.db.write(lambda s: give_verdict(s, first))

    assert site.choose(Kernels(before=faster)) is PLAIN
    assert site.verdict == first
    assert site.frozen["way"] == "plain"


def test_the_way_of_a_job_stands_whatever_is_found_later(site: Site) -> None:
    assert site.choose(Kernels(off={FAST: 9.0, UNPLACED: 9.0})) is PLAIN
    kernels = Kernels()
    assert site.choose(kernels, ways={site.model.digest: PLAIN}) is PLAIN
    assert kernels.loaded == []


def test_two_workers_that_compare_at_once_agree(site: Site) -> None:
    both = threading.Barrier(2)
    found: dict[str, Way] = {}

    def work(name: str, off: Mapping[Way, float]) -> None:
        kernels = Kernels(off=off)

        def meet(_: Way) -> None:
            kernels.before = lambda _: None
            both.wait(10)

        kernels.before = meet
        found[name] = site.choose(kernels)

    threads = [
        threading.Thread(target=work, args=("right", {})),
        threading.Thread(target=work, args=("wrong", {FAST: 9.0, UNPLACED: 9.0})),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert site.verdict is not None
    assert set(found.values()) == {site.verdict.way}
    assert site.frozen["way"] == site.verdict.way


def test_without_memory_for_two_nothing_is_proved(site: Site) -> None:
    too_large = dict.fromkeys((FAST, UNPLACED), OutOfMemoryError("too large"))
    assert site.choose(Kernels(trouble=too_large)) is PLAIN
    assert site.verdict is None
    assert site.frozen["why"] == "no memory for a comparison: too large"


def test_an_engine_of_one_way_is_not_compared(site: Site) -> None:
    kernels = Kernels(possible=())
    assert site.choose(kernels) is PLAIN
    assert (kernels.loaded, site.verdict) == ([], None)
    assert site.frozen["why"] == "no faster way of this engine runs this graph right"


def test_a_suspect_is_compared_like_any_other(site: Site) -> None:
    assert site.choose(Kernels(), suspect=True) is FAST


def test_a_job_that_was_moved_to_another_profile_gets_its_shard_back(site: Site) -> None:
    site.bench.db.write(lambda s: leave_profile(s, "a", now=1.0))
    with pytest.raises(StoppedError) as stopped:
        site.choose(Kernels())
    assert stopped.value.directive is Directive.HAND_BACK


def test_a_model_that_is_gone_is_fatal(site: Site) -> None:
    (site.bench.root / "model" / "model.json").write_text("[]")
    with pytest.raises(FatalError, match="not the one"):
        site.choose(Kernels())


def test_each_network_of_a_job_has_a_way_of_its_own(site: Site) -> None:
    other = replace(write_model(site.bench.root / "other", labels=("a", "b")), name="other")
    both = ModelRef.composed("both", "several", {"numbers": site.model, "other": other})
    chooser = chooser_of(site.bench, Kernels(off={FAST: 9.0}))
    unit = work_unit(both, source=site.source, output=site.bench.root)
    ways = chooser.choose(new_run(unit), site.items)
    assert ways == dict.fromkeys((site.model.digest, other.digest), UNPLACED)


@pytest.fixture
def preloaded(site: Site) -> Callable[[Kernels], Way]:
    def choose(kernels: Kernels) -> Way:
        ways = chooser_of(site.bench, kernels).choose_for(site.model, PROFILE)
        return ways[site.model.digest]

    return choose


def test_what_is_loaded_beforehand_is_compared_on_sample_pictures(
    site: Site, preloaded: Callable[[Kernels], Way]
) -> None:
    assert preloaded(Kernels()) is FAST
    assert site.verdict is not None
    kernels = Kernels(off={FAST: 9.0})
    assert preloaded(kernels) is FAST
    assert kernels.loaded == []
