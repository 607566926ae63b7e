"""The threads that own predictors and run batches of asks on them."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import structlog

from core.errors import RegattaError
from core.items import ItemRef
from worker.engines.protocol import OutOfMemoryError, PredictError, SickEngineError
from worker.memory import FreedMemory
from worker.networks.network import stacked
from worker.pipeline.batcher import Batcher
from worker.pipeline.inquiry import Failure, Inquiry, PendingAsk
from worker.pipeline.soundness import check_sound
from worker.run import ShardRun

_log = structlog.get_logger()


class _CrashError(Exception):
    """The engine raised what no engine should."""


class Predictors:
    """Thread number n owns predictor n of every network.

    An inquiry is handed to `then` once its last open ask has been answered or dropped.
    """

    def __init__(self, batcher: Batcher, then: Callable[[Inquiry], None], *, threads: int) -> None:
        self._batcher = batcher
        self._then = then
        self._freed = FreedMemory()
        self._threads = [
            threading.Thread(target=self._loop, args=(n,), name=f"predict-{n}", daemon=True)
            for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the threads once they have emptied the batcher."""
        self._batcher.close()
        for thread in self._threads:
            thread.join()

    def _loop(self, number: int) -> None:
        while (batch := self._batcher.take()) is not None:
            self._run(batch, number)
            del batch  # and with it the pictures of its asks: the next batch may be long in coming
            self._freed.look(len(self._threads))

    def _run(self, batch: Sequence[PendingAsk], number: int) -> None:
        """Run those asks of a batch whose runs are not stopping."""
        alive = []
        for ask in batch:
            if ask.inquiry.ticket.run.stopping:
                self._drop(ask)
            else:
                alive.append(ask)
        if alive:
            self._run_batch(alive, number)

    def _run_batch(self, batch: Sequence[PendingAsk], number: int) -> None:
        """Run a batch. Halve it if it is too large; if it fails, try its asks one by one."""
        network = batch[0].network
        size = max(network.batch_size, len(batch))
        begun = time.perf_counter()
        try:
            with _watched(batch):
                outputs = _outputs(batch, size, number)
        except (OutOfMemoryError, MemoryError) as error:
            self._halve(batch, size, number, error)
        except PredictError as error:
            self._blame(batch, size, number, Failure("predict_failed", str(error)))
        except _CrashError as error:
            _log.error("the engine crashed", error=str(error), exc_info=error.__cause__)
            self._blame(batch, size, number, Failure("internal_error", f"predict: {error}"))
        except RegattaError as error:
            self._fail(batch, error)
        except Exception as error:
            _log.exception("unexpected", stage="predict", model=network.key.digest[:12])
            self._single_out(batch, number, Failure("internal_error", f"predict: {error!r}"))
        else:
            network.known_good = network.known_good or batch[0].prepared
            share = (time.perf_counter() - begun) / len(batch)
            for ask, output in zip(batch, outputs, strict=True):
                ask.inquiry.ticket.run.moved("predict", share)
                self._give(ask, output)

    def _blame(self, batch: Sequence[PendingAsk], size: int, number: int, failure: Failure) -> None:
        """Find out whether the engine or an input is at fault for what the engine raised."""
        inputs = [ask.prepared for ask in batch]
        try:
            check_sound(batch[0].network, number, size, inputs, str(failure))
        except SickEngineError as error:
            self._fail(batch, error)
        else:
            self._single_out(batch, number, failure)

    def _fail(self, batch: Sequence[PendingAsk], error: RegattaError) -> None:
        """End the runs of all asks: their shards can't go on."""
        for ask in batch:
            ask.inquiry.ticket.run.fail(error)
            self._drop(ask)

    def _single_out(self, batch: Sequence[PendingAsk], number: int, failure: Failure) -> None:
        if len(batch) == 1:
            batch[0].inquiry.ticket.run.moved("predict", 0.0)
            self._give(batch[0], failure)
            return
        for ask in batch:
            self._run_batch([ask], number)

    def _halve(
        self, batch: Sequence[PendingAsk], size: int, number: int, error: BaseException
    ) -> None:
        """Run a batch in parts, as `size` inputs, padding included, were too many."""
        if size == 1:
            failure = Failure("out_of_memory", f"even alone in a batch: {error}")
            self._blame(batch, size, number, failure)
            return
        network = batch[0].network
        if network.shrink(size // 2):
            _log.warning("out of memory: batch halved", batch_size=network.batch_size)
        step = network.batch_size  # fixed here: running a part may halve it again
        for start in range(0, len(batch), step):
            self._run_batch(batch[start : start + step], number)

    def _give(self, ask: PendingAsk, output: Any) -> None:
        """Note an ask's output or failure; after a step's last one, hand its inquiry on."""
        if ask.inquiry.give(ask, output):
            self._then(ask.inquiry)

    def _drop(self, ask: PendingAsk) -> None:
        if ask.inquiry.drop():
            self._then(ask.inquiry)


@contextmanager
def _watched(batch: Sequence[PendingAsk]) -> Iterator[None]:
    """Have the watchdog see how long the batch takes, for each of the runs in it."""
    items = defaultdict[ShardRun, list[ItemRef]](list)
    for ask in batch:
        items[ask.inquiry.ticket.run].append(ask.inquiry.ticket.item)
    with ExitStack() as stack:
        for run, of_run in items.items():
            stack.enter_context(run.steps.batch(list(dict.fromkeys(of_run))))
        yield


def _outputs(batch: Sequence[PendingAsk], size: int, number: int) -> list[Any]:
    """Return each ask's output from a batch of `size`, without the padding."""
    resident = batch[0].network
    prepared = [ask.prepared for ask in batch]
    feeds = stacked(prepared, size)
    try:
        outputs = resident.predictors[number].predict(feeds)
    except (RegattaError, MemoryError):
        raise
    except Exception as error:
        raise _CrashError(repr(error)) from error
    return resident.network.split(outputs, prepared, size)
