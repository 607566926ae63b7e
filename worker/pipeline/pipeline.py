"""The pipeline, one per process: pictures from sources, through networks, into sinks.

A source lets pictures in; decode takes each model's first step, predictors run its asks in batches,
finish takes the last step and makes rows and files, and a sink stores them. All shards run through
the same stages, so the head of one fills the gaps that the tail of another leaves, and the
predictors never wait at a shard's border. Each predictor is owned by one thread; the CPU work
around it overlaps, as decoding, drawing and inference all release the GIL.

A model's recipe (`worker.recipes.recipe`) decides what its networks are asked. If it looks at a
picture once, the picture goes from the predictor to finish. Otherwise it goes to advance, whose
threads take the recipe's next step: back to the batcher as often as it asks, and then to finish.
Nothing waits in a circle, as further asks of a picture need no room in the batcher, and no sink
waits for another picture.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from core.errors import RegattaError
from core.items import ItemRef
from store.parts import ResultRow
from worker.models import Models, ResidentModel
from worker.pipeline.batcher import Batcher
from worker.pipeline.budget import MIB, Held, PictureMemory
from worker.pipeline.flow import Finished, Flow, Load, Sink, Source, Ticket
from worker.pipeline.images import ImageFiles, ObjectSink
from worker.pipeline.inquiry import Inquiry
from worker.pipeline.predictors import Predictors
from worker.pipeline.rows import finished
from worker.pipeline.stage import Stage
from worker.run import ShardRun

_POOL = 64  # asks that may wait for a predictor before new pictures are held back
_INPUT_BYTES = 64 * MIB  # what they may take, unless two batches take more
_WINDOW_BATCHES = 4  # a run's pictures in flight, in batches per predictor

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Threads:
    """The number of threads of each stage. Fetching and uploading wait; the others compute."""

    fetch: int
    decode: int
    predict: int
    finish: int
    upload: int


class Pipeline:
    """This process's stages and their threads.

    `images` and `objects` are the source and the sink for items that are an image file each.
    """

    def __init__(
        self, models: Models, threads: Threads, memory: PictureMemory | None = None
    ) -> None:
        self.models = models
        self.images = ImageFiles(threads=threads.fetch)
        self.objects = ObjectSink(threads=threads.upload)
        self._threads = threads
        self._memory = memory or PictureMemory()
        self._flows: frozenset[Flow] = frozenset()  # those whose sources still let pictures in
        self._changing = threading.Lock()
        self._finish: Stage[Inquiry, Finished] = Stage(
            "finish", _finish, Ticket.keep, threads=threads.finish, depth=32
        )
        self._batcher = Batcher(_POOL, _INPUT_BYTES, upstream=self._coming)
        self._advance: Stage[Inquiry, Inquiry] = Stage(
            "advance", _advance, self._ask_more, threads=threads.finish, depth=32
        )
        self._decode: Stage[Load, Inquiry] = Stage(
            "decode", _decode, self._ask, threads=threads.decode, depth=16
        )
        self._predictors = Predictors(self._batcher, self._go_on, threads=threads.predict)

    def rows(
        self, run: ShardRun, items: Sequence[ItemRef], model: ResidentModel
    ) -> list[ResultRow]:
        """Run items that are an image file each, and return their rows in the order given.

        Raises:
            RegattaError: as `run`.
        """
        self.run(run, self.images.of(items), model, self.objects)
        return run.rows(items)

    def run(self, run: ShardRun, source: Source, model: ResidentModel, sink: Sink) -> None:
        """Take a source's pictures through the stages into the sink, and wait for the last one.

        The run then has their rows.

        Raises:
            RegattaError: the run was stopped or overtaken, or can't go on; nothing is in flight.
        """
        window = _WINDOW_BATCHES * max(8, model.batch_size) * self._threads.predict
        flow = Flow(run, model, sink, memory=self._memory, window=window, put=self._decode.put)
        self._set_feeding(flow, on=True)
        try:
            source.feed(flow)
        except RegattaError as error:
            run.fail(error)
        except Exception as error:
            _log.exception("unexpected", job=run.unit.job, source=type(source).__name__)
            run.fail(RegattaError(f"unexpected: {type(error).__name__}: {error}"))
        finally:
            self._set_feeding(flow, on=False)
        run.wait()

    def close(self) -> None:
        """End the threads. No run may be in progress."""
        self.images.close()
        self._decode.close()
        self._predictors.close()
        self._advance.close()
        self._finish.close()
        self.objects.close()

    def _set_feeding(self, flow: Flow, *, on: bool) -> None:
        with self._changing:
            self._flows = self._flows | {flow} if on else self._flows - {flow}

    def _coming(self) -> int:
        """Return how many pictures will reach the batcher; 0 if they wait for its asks to run."""
        if self._memory.is_short:
            return 0
        feeding = sum(not flow.is_waiting for flow in self._flows)
        return feeding + self.images.load + self._decode.load + self._advance.load

    def _ask(self, ticket: Ticket, inquiry: Inquiry) -> None:
        """Pass on the asks of a picture that has just been decoded."""
        if asks := inquiry.take_asks():
            self._batcher.put(asks)
        else:
            self._finish.put(ticket, inquiry)

    def _ask_more(self, ticket: Ticket, inquiry: Inquiry) -> None:
        if asks := inquiry.take_asks():
            self._batcher.put_more(asks)
        else:
            self._finish.put(ticket, inquiry)

    def _go_on(self, inquiry: Inquiry) -> None:
        """Move on a picture whose asks have ended."""
        ticket = inquiry.ticket
        if inquiry.is_dropped:
            ticket.drop()
        elif ticket.flow.model.revisits(ticket.run.unit.options):
            self._advance.put(ticket, inquiry)
        else:
            self._finish.put(ticket, inquiry)


def _decode(ticket: Ticket, load: Load) -> Inquiry:
    """Decode a picture and take each model's first step."""
    picture = load()
    ticket.size = picture.size_wh
    options, model = ticket.run.unit.options, ticket.flow.model
    is_kept = ticket.is_drawn or model.revisits(options)
    inquiry = Inquiry(ticket, picture if is_kept else None)
    inquiry.begin(picture.image)
    if not is_kept:
        ticket.let_go(Held.PIXELS)
    return inquiry


def _advance(ticket: Ticket, inquiry: Inquiry) -> Inquiry:
    del ticket
    inquiry.resume()
    return inquiry


def _finish(ticket: Ticket, inquiry: Inquiry) -> Finished:
    if not inquiry.is_answered:
        inquiry.resume()
    if inquiry.picture is not None:
        ticket.hold(Held.DRAWING, inquiry.picture.image.nbytes)
    done = finished(ticket, inquiry.picture, inquiry.answers)
    inquiry.picture = None
    done = ticket.flow.sink.encoded(ticket, done)
    ticket.hold_exactly(Held.DRAWING, sum(map(len, done.files.values())))
    if not done.drawings:
        ticket.let_go(Held.PIXELS)
    return done
