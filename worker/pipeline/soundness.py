"""Tells an engine that has failed from an input that it refuses.

After a sticky error of a device, or with its memory full, every input fails. Whoever then blamed
the inputs would quarantine a whole dataset. So an input that is known to be good is run on the same
predictor before any other is blamed.
"""

from collections.abc import Sequence

import numpy as np
import structlog

from core.errors import BadInputError, FatalError
from vision.ops.preprocess import Prepared
from worker.engines.protocol import SickEngineError
from worker.models import ResidentNetwork
from worker.networks.network import stacked

_SMOKE_SIZE = (480, 640)

_log = structlog.get_logger()


def check_sound(
    network: ResidentNetwork, number: int, size: int, failed: Sequence[Prepared], why: str
) -> None:
    """Run a good input on a predictor that has just failed.

    Good is what has succeeded in this process. As long as nothing has, it is whatever succeeds
    first: the smoke input, or one of those that failed together.

    Args:
        network: The network.
        number: Its predictor that failed, which this thread owns.
        size: The size of the batch that failed, its padding included.
        failed: The inputs that failed.
        why: What the engine said.

    Raises:
        SickEngineError: the good input fails as well.
    """
    good = network.known_good
    for candidate in [good] if good is not None else [*_smoke(network), *failed]:
        if _failure(network, number, candidate, size) is None:
            return
    raise SickEngineError(
        network.key.profile.offer.key, network.key.digest, why, has_run=good is not None
    )


def check_again(network: ResidentNetwork, number: int = 0) -> None:
    """Run what is known to be good once more, if anything is.

    Raises:
        SickEngineError: it fails.
    """
    good = network.known_good
    why = None if good is None else _failure(network, number, good, network.batch_size)
    if why is not None:
        offer = network.key.profile.offer
        raise SickEngineError(offer.key, network.key.digest, why, has_run=True)


def warm_up(network: ResidentNetwork, number: int = 0) -> None:
    """Run the smoke input; if that succeeds, it is known to be good."""
    for smoke in _smoke(network):
        _failure(network, number, smoke, network.batch_size)


def _failure(network: ResidentNetwork, number: int, prepared: Prepared, size: int) -> str | None:
    """Run an input, repeated `size` times; return why it fails, or None: then it is good."""
    try:
        network.predictors[number].predict(stacked([prepared], size))
    except Exception as error:
        _log.info("a good input fails", network=network.key.digest[:12], error=str(error))
        return str(error) or type(error).__name__
    network.known_good = network.known_good or prepared
    return None


def _smoke(network: ResidentNetwork) -> list[Prepared]:
    """Return a made-up input: a ramp, so that no branch of a graph lacks contrast."""
    height, width = _SMOKE_SIZE
    ramp = np.linspace(0, 255, height * width * 3).reshape(height, width, 3)
    try:
        return [network.network.prepare(ramp.astype(np.uint8))]
    except (BadInputError, FatalError):
        return []
