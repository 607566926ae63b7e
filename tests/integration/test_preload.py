from dataclasses import replace

import pytest

from core.errors import UsageError
from core.profile import ExecutionProfile
from store.models import add_model
from tests.bench import OFFER, Bench
from tests.workshop import Network, models_of, write_model
from worker.engines.registry import Engines
from worker.preload import preload
from worker.ways.chooser import WayChooser

PROFILE = ExecutionProfile.of(OFFER, batch_size=8, jpeg_quality=90)


def test_each_predictor_has_run_before_the_first_shard(bench: Bench) -> None:
    network = Network()
    models = models_of(network, replicas=2)
    ref = write_model(bench.root / "model")
    bench.db.write(lambda s: add_model(s, replace(ref, name="m"), {}, now=0.0))
    preload(bench.db, models, WayChooser(bench.db, Engines([network])), ["m"], lambda _: PROFILE)
    assert network.batches == [[127] * PROFILE.batch_size] * 2
    # A job by its path has the same digest: it finds the model loaded.
    models.acquire(ref, PROFILE)
    assert network.loaded == 2
    models.close()


def test_nothing_is_loaded_if_one_is_unknown(bench: Bench) -> None:
    network = Network()
    ref = write_model(bench.root / "model")
    bench.db.write(lambda s: add_model(s, replace(ref, name="m"), {}, now=0.0))
    models, chooser = models_of(network, replicas=1), WayChooser(bench.db, Engines([network]))
    with pytest.raises(UsageError, match="there is no model 'x'"):
        preload(bench.db, models, chooser, ["m", "x"], lambda _: PROFILE)
    assert network.loaded == 0
