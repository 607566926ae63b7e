from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import structlog
from numpy.typing import NDArray

from core.errors import FatalError
from core.profile import EngineOffer, NetworkProfile, Offered
from core.ways import Way
from tests.workshop import write_model
from worker import smoke
from worker.engines.protocol import ModelFiles, Sizes
from worker.engines.registry import Engines
from worker.smoke import try_out

_log = structlog.get_logger()


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


class Network:
    input_names = ("image", "scale_factor")

    def __init__(self) -> None:
        self.runs = 0

    def predict(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        self.runs += 1
        image = feeds["image"]
        assert image.dtype == np.float32
        assert (image.min(), image.max()) == (0, 255), "every brightness is there"
        return [np.zeros((0, 6), np.float32), np.zeros(1, np.int32)]


def engines(network: Network) -> Engines:
    def load(
        model: ModelFiles, profile: NetworkProfile, *, way: Way, sizes: Sizes, count: int
    ) -> list[Network]:
        assert model.graph.is_file()
        assert model.weights.is_file()
        assert sizes == ()
        assert (profile.threads, way, count) == (1, Way.PLAIN, 1)
        _log.info("loaded")
        _log.warning("onednn off", paddle="3.3.0", reason="fails")
        return [network]

    offer = EngineOffer("fake", "1.2", "cpu-any", "fp32")
    engine: Any = SimpleNamespace(offers=lambda: (Offered(offer),), ways=lambda _: (), load=load)
    return Engines([engine])


def test_what_a_run_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_model(tmp_path / "model")
    network = Network()
    found = try_out(tmp_path / "model", engines(network))
    assert network.runs == 3, "the last is timed"
    assert found.pop("milliseconds") >= 0
    assert found == {
        "engine": "fake 1.2",
        "offer": "fake/1.2/cpu-any/fp32",
        "inputs": [
            {"name": "image", "shape": [1, 3, 480, 640]},
            {"name": "scale_factor", "shape": [1, 2]},
        ],
        "outputs": [{"dtype": "float32", "shape": [0, 6]}, {"dtype": "int32", "shape": [1]}],
        "way": "plain",
        "why": "no faster way of this engine runs this graph right",
        "comparison": {},
        "warnings": ["onednn off: paddle 3.3.0, reason fails"],
    }
    assert capsys.readouterr().out == ""


def test_a_network_that_takes_long_runs_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoke, "_LONG_SECONDS", 0.0)
    write_model(tmp_path / "model")
    network = Network()
    try_out(tmp_path / "model", engines(network))
    assert network.runs == 1


def test_errors_are_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> Any:
        raise FatalError("Paddle says no", hint="export it again")

    monkeypatch.setattr(smoke, "try_out", refuse)
    monkeypatch.setenv("REGATTA_ENGINES", "tests.acceptance.standin")
    assert smoke.main(str(tmp_path)) == 0
    assert capsys.readouterr().out.endswith(
        '\n{"error": "Paddle says no", "hint": "export it again"}\n'
    )
