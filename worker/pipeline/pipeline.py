"""The pipeline, one per process: fetch, decode, batch, predict, advance, finish, upload.

Every run of a shard feeds the same stages, so the head of one shard fills the gaps that the
tail of another leaves, and the predictors never wait at a shard's border. Each predictor is
owned by one thread; the CPU work around it overlaps, as decoding, drawing and inference all
release the GIL.

What is asked of networks follows a model's recipe (`worker.recipes.recipe`). The picture of a
model that looks once goes from its predictor to finish. Others go to advance, whose threads take
a recipe's next step: to the batcher again, as often as it asks, and then to finish. Nothing waits
in a circle, as asks of pictures that were let in need no room in the batcher.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from core.errors import RegattaError
from core.items import ItemRef
from core.layout import annotated_image, cutout_image, mask_image
from core.states import ItemState
from core.tasks import TASK
from store.parts import ResultRow
from vision.decode import decode_image
from vision.draw import by_task
from vision.encode import encode_jpeg
from worker.engines.protocol import OutOfMemoryError, PredictError
from worker.models import Models, ResidentModel
from worker.networks.network import stacked
from worker.pipeline.batcher import Batcher
from worker.pipeline.budget import ByteBudget
from worker.pipeline.course import Course, Failure
from worker.pipeline.source import fetch, opened
from worker.pipeline.stage import Stage
from worker.pipeline.ticket import PendingAsk, Ticket
from worker.run import ShardRun

_POOL = 64  # asks that wait for a predictor before another picture may bring more
_PICTURE_BYTES = 512 * 1024 * 1024  # decoded pictures that are looked at or drawn on later
_WINDOW_BATCHES = 4  # a run's items in flight, in batches per predictor

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Threads:
    """How many threads each stage has. Fetching and uploading wait; the others compute."""

    fetch: int
    decode: int
    predict: int
    finish: int
    upload: int


class Pipeline:
    """The stages of this process and their threads."""

    def __init__(self, models: Models, threads: Threads) -> None:
        self.models = models
        self._threads = threads
        self._pictures = ByteBudget(_PICTURE_BYTES)
        self._upload = Stage("upload", _upload, _leave, threads=threads.upload, depth=16)
        self._finish = Stage("finish", _finish, self._upload.put, threads=threads.finish, depth=32)
        self._batcher = Batcher(_POOL, upstream=self._coming)
        self._advance = Stage(
            "advance", Ticket.resume, self._ask_more, threads=threads.finish, depth=32
        )
        self._decode = Stage("decode", _decode, self._ask, threads=threads.decode, depth=16)
        self._fetch = Stage("fetch", _fetch, self._decode.put, threads=threads.fetch, depth=16)
        self._predictors = [
            threading.Thread(target=self._predict, args=(n,), name=f"predict-{n}", daemon=True)
            for n in range(threads.predict)
        ]
        for thread in self._predictors:
            thread.start()

    def rows(
        self, run: ShardRun, items: Sequence[ItemRef], model: ResidentModel
    ) -> list[ResultRow]:
        """Run the items through the stages and return their rows in the order given.

        Raises:
            RegattaError: the run was stopped, overtaken, or can't go on.
        """
        window = _WINDOW_BATCHES * max(8, model.batch_size) * self._threads.predict
        try:
            for item in items:
                run.enter(window)
                self._fetch.put(Ticket(run, item, model, self._pictures))
        except RegattaError as error:
            run.fail(error)
        return run.rows(items)

    def close(self) -> None:
        """End the threads. No run may be going on."""
        self._fetch.close()
        self._decode.close()
        self._batcher.close()
        for thread in self._predictors:
            thread.join()
        self._advance.close()
        self._finish.close()
        self._upload.close()

    def _coming(self) -> int:
        """Tickets on their way to the batcher; none, if they wait for what its batches hold."""
        if self._pictures.is_short:
            return 0
        return self._fetch.load + self._decode.load + self._advance.load

    def _ask(self, ticket: Ticket) -> None:
        """Let a picture in that has just been decoded."""
        if asks := ticket.take_asks():
            self._batcher.put(asks)
        else:
            self._finish.put(ticket)

    def _ask_more(self, ticket: Ticket) -> None:
        if asks := ticket.take_asks():
            self._batcher.put_more(asks)
        else:
            self._finish.put(ticket)

    def _give(self, ask: PendingAsk, output: Any) -> None:
        """Note an ask's output or failure; the last one of a step takes its ticket on."""
        if ask.ticket.give(ask, output):
            self._go_on(ask.ticket)

    def _drop(self, ask: PendingAsk) -> None:
        if ask.ticket.drop():
            self._go_on(ask.ticket)

    def _go_on(self, ticket: Ticket) -> None:
        if ticket.is_dropped:
            ticket.leave(None)
        elif ticket.revisits:
            self._advance.put(ticket)
        else:
            self._finish.put(ticket)

    def _predict(self, number: int) -> None:
        """Own predictor `number` of every network: take batches, run them, hand tickets on."""
        while (batch := self._batcher.take()) is not None:
            alive = []
            for ask in batch:
                if ask.ticket.run.stopping:
                    self._drop(ask)
                else:
                    alive.append(ask)
            if alive:
                self._run_batch(alive, number)

    def _run_batch(self, batch: Sequence[PendingAsk], number: int) -> None:
        """Run a batch. One too large is halved; of one that fails, each ask is tried alone."""
        network = batch[0].network
        size = max(network.batch_size, len(batch))
        begun = time.perf_counter()
        try:
            outputs = _outputs(batch, size, number)
        except (OutOfMemoryError, MemoryError) as error:
            self._halve(batch, size, number, error)
        except PredictError as error:
            self._single_out(batch, number, Failure("predict_failed", str(error)))
        except RegattaError as error:
            for ask in batch:
                ask.ticket.run.fail(error)
                self._drop(ask)
        except Exception as error:
            _log.exception("unexpected", stage="predict", model=network.key.digest[:12])
            self._single_out(batch, number, Failure("internal_error", f"predict: {error!r}"))
        else:
            share = (time.perf_counter() - begun) / len(batch)
            for ask, output in zip(batch, outputs, strict=True):
                ask.ticket.run.moved("predict", share)
                self._give(ask, output)

    def _single_out(self, batch: Sequence[PendingAsk], number: int, failure: Failure) -> None:
        if len(batch) == 1:
            batch[0].ticket.run.moved("predict", 0.0)
            self._give(batch[0], failure)
            return
        for ask in batch:
            self._run_batch([ask], number)

    def _halve(
        self, batch: Sequence[PendingAsk], size: int, number: int, error: BaseException
    ) -> None:
        """Run in parts a batch of which `size` inputs, padding included, were too many."""
        if size == 1:
            failure = Failure("out_of_memory", f"even alone in a batch: {error}")
            self._single_out(batch, number, failure)
            return
        network = batch[0].network
        if network.shrink(size // 2):
            _log.warning("out of memory: batch halved", batch_size=network.batch_size)
        step = network.batch_size  # as it is now: running a part may halve it again
        for start in range(0, len(batch), step):
            self._run_batch(batch[start : start + step], number)


def _outputs(batch: Sequence[PendingAsk], size: int, number: int) -> list[Any]:
    """Return each ask's output of a batch of `size`; what filled it up is left out."""
    resident = batch[0].network
    prepared = [ask.prepared for ask in batch]
    outputs = resident.predictors[number].predict(stacked(prepared, size))
    return resident.network.split(outputs, prepared, size)


def _fetch(ticket: Ticket) -> None:
    ticket.data = fetch(ticket.item, ticket.run.unit)


def _decode(ticket: Ticket) -> None:
    assert ticket.data is not None
    image = decode_image(ticket.data, max_pixels=ticket.run.unit.options.limits.max_pixels)
    ticket.data = None
    ticket.size = (image.shape[1], image.shape[0])
    if ticket.run.unit.options.drawing.annotate or ticket.revisits:
        ticket.keep(image)
    ticket.begin(image)


def _finish(ticket: Ticket) -> None:
    if not ticket.is_answered:
        ticket.resume()
    ticket.rows = [_row(ticket, course) for course in ticket.courses]
    ticket.drop_image()


def _row(ticket: Ticket, course: Course) -> ResultRow:
    """Return what a model says of an item; its files are left with the ticket."""
    unit, item, member, answer = ticket.run.unit, ticket.item, course.member, course.end
    if isinstance(answer, Failure):
        return ResultRow.quarantined(
            item, task=member.task, model=member.name, reason=str(answer), size=ticket.size
        )
    assert answer is not None
    assert ticket.size is not None
    # Beside other models, a model has a folder of its own.
    folder = member.name if len(ticket.courses) > 1 else None
    annotated = mask = cutout = None
    if ticket.image is not None and unit.options.drawing.annotate:
        annotated = annotated_image(item.key, folder)
        picture = by_task.draw(member.task, ticket.image, answer, unit.options.drawing)
        ticket.files[annotated] = encode_jpeg(picture, unit.profile.jpeg_quality)
    if answer.mask is not None:
        mask = mask_image(item.key, folder)
        ticket.files[mask] = by_task.encode_mask_of(member.task, answer.mask)
        if TASK[member.task].has_cutouts:
            assert ticket.image is not None
            cutout = cutout_image(item.key, folder)
            ticket.files[cutout] = by_task.cut_out(member.task, ticket.image, answer.mask)
    return ResultRow(
        item=item,
        task=member.task,
        model=member.name,
        state=ItemState.SUCCEEDED,
        width=ticket.size[0],
        height=ticket.size[1],
        detections=answer.detections,
        classes=answer.classes,
        segments=answer.segments,
        mask=mask,
        cutout=cutout,
        annotated=annotated,
    )


def _upload(ticket: Ticket) -> None:
    # The final keys at once: within a profile a second writer writes the same bytes.
    for key, data in ticket.files.items():
        opened(ticket.run.unit.output).put(key, data)


def _leave(ticket: Ticket) -> None:
    ticket.leave(ticket.rows)
