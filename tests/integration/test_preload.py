from dataclasses import replace

import pytest

from core.errors import UsageError
from core.profile import profile_for
from store.models import add_model
from tests.bench import OFFER, Bench
from tests.workshop import Network, write_model
from worker.models import Models
from worker.preload import preload
from worker.ways.chooser import WayChooser

PROFILE = profile_for(OFFER, batch_size=None, jpeg_quality=90)


def test_each_predictor_has_run_before_the_first_shard(bench: Bench) -> None:
    network = Network()
    models = Models(network, replicas=2)
    ref = write_model(bench.root / "model")
    bench.db.write(lambda s: add_model(s, replace(ref, name="m"), {}, now=0.0))
    preload(bench.db, models, WayChooser(bench.db, network), ["m"], PROFILE)
    assert network.batches == [[127] * PROFILE.batch_size] * 2
    # A job by its path has the same digest: it finds the model loaded.
    assert models.acquire(ref, PROFILE).networks[0].users == 1
    assert network.loaded == 2
    models.close()


def test_nothing_is_loaded_if_one_is_unknown(bench: Bench) -> None:
    network = Network()
    ref = write_model(bench.root / "model")
    bench.db.write(lambda s: add_model(s, replace(ref, name="m"), {}, now=0.0))
    models, chooser = Models(network, replicas=1), WayChooser(bench.db, network)
    with pytest.raises(UsageError, match="there is no model 'x'"):
        preload(bench.db, models, chooser, ["m", "x"], PROFILE)
    assert network.loaded == 0
