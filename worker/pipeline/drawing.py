"""The stages that draw items' pictures from their rows, without networks.

Fetching, uploading and tickets are the pipeline's. The window bounds the pictures in flight,
and the memory that they share with the pipeline's bounds the decoded ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from core.errors import BadInputError, RegattaError
from core.items import ItemRef
from core.layout import annotated_image, cutout_image, mask_image
from core.states import ItemState
from core.tasks import TASK
from predictions.answer import NO_LEGEND, Answer
from store.parts import ResultRow
from vision.draw import by_task
from vision.draw.redaction import redacted
from worker.models import ResidentModel
from worker.networks.network import Pixels
from worker.pipeline.budget import Held, PictureMemory
from worker.pipeline.drawn_rows import Rows
from worker.pipeline.flow import Finished, Flow, Load, Ticket
from worker.pipeline.images import ImageFiles, ObjectSink
from worker.pipeline.items import opened
from worker.pipeline.stage import Stage
from worker.run import ShardRun

_WINDOW = 64  # a run's pictures in flight
_NO_MODEL = ResidentModel(())


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """What a picture is drawn from; masks by their keys under the first job's output."""

    load: Load
    rows: Sequence[ResultRow]
    source: Rows
    masks: Mapping[str, bytes] = field(default_factory=dict)


class Drawing:
    """This process's drawing stages and their threads, which serve all runs."""

    def __init__(
        self, *, fetch: int, draw: int, upload: int, memory: PictureMemory | None = None
    ) -> None:
        self._memory = memory or PictureMemory()
        self._objects = ObjectSink(threads=upload)
        self._draw: Stage[_Sheet, Finished] = Stage(
            "draw", _drawn, Ticket.keep, threads=draw, depth=16
        )
        self._masks: Stage[_Sheet, _Sheet] = Stage(
            "masks", _with_masks, self._draw.put, threads=fetch, depth=16, is_waiting=True
        )
        self._images = ImageFiles(threads=fetch)

    def rows(self, run: ShardRun, items: Sequence[ItemRef], source: Rows) -> list[ResultRow]:
        """Draw items that are an image file each; return their rows in the order given.

        The rows name files in the run's own output. An item that can't be drawn is quarantined for
        each model.

        Raises:
            RegattaError: the run was stopped or overtaken, or can't go on; nothing is in flight.
        """
        flow = Flow(
            run,
            _NO_MODEL,
            self._objects,
            memory=self._memory,
            window=_WINDOW,
            put=partial(self._begin, source),
        )
        try:
            self._images.of(items).feed(flow)
        except RegattaError as error:
            run.fail(error)
        return run.rows(items)

    def close(self) -> None:
        """End the threads. No run may be in progress."""
        self._images.close()
        self._masks.close()
        self._draw.close()
        self._objects.close()

    def _begin(self, source: Rows, ticket: Ticket, load: Load) -> None:
        sheet = _Sheet(load, source.by_item[ticket.item.index], source)
        if any(row.mask for row in sheet.rows):
            self._masks.put(ticket, sheet)
        else:
            self._draw.put(ticket, sheet)


def _with_masks(ticket: Ticket, sheet: _Sheet) -> _Sheet:
    del ticket
    keys = [row.mask for row in sheet.rows if row.mask is not None]
    store = opened(sheet.source.output)
    try:
        return replace(sheet, masks={key: store.get(key) for key in keys})
    except BadInputError as error:
        raise BadInputError(error.reason, f"its mask: {error}") from error


def _drawn(ticket: Ticket, sheet: _Sheet) -> Finished:
    picture = sheet.load()
    ticket.size = picture.size_wh
    ticket.hold(Held.DRAWING, picture.image.nbytes)
    files: dict[str, bytes] = {}
    drawings: dict[str, Callable[[], Pixels]] = {}
    answers = {row.model: _answer(row, sheet) for row in sheet.rows if _has_succeeded(row)}
    for row in sheet.rows:
        if _has_succeeded(row) and ticket.size != (row.width, row.height):
            size = f"{row.width}x{row.height}"
            raise BadInputError("source_changed", f"it was {size} pixels large")
    image = _to_show(ticket, picture.image, sheet.rows, answers)
    rows = [
        _row(ticket, row, sheet, image, answers[row.model], files, drawings)
        if _has_succeeded(row)
        else row
        for row in sheet.rows
    ]
    done = ticket.flow.sink.encoded(ticket, Finished(rows, files, drawings))
    ticket.hold_exactly(Held.DRAWING, sum(map(len, done.files.values())))
    ticket.let_go(Held.PIXELS)
    return done


def _has_succeeded(row: ResultRow) -> bool:
    return row.state is ItemState.SUCCEEDED


def _answer(row: ResultRow, sheet: _Sheet) -> Answer:
    mask = None
    if row.mask is not None:
        mask = by_task.decode_mask_of(row.task, sheet.masks[row.mask])
    return row.answer(mask, sheet.source.legends.get(row.model, NO_LEGEND))


def _to_show(
    ticket: Ticket,
    image: Pixels,
    rows: Sequence[ResultRow],
    answers: Mapping[str, Answer],
) -> Pixels | None:
    """Return what may be seen of a picture; None if a model that failed might have hidden more."""
    labels = ticket.run.unit.options.drawing.redact
    if labels is None:
        return image
    if not all(map(_has_succeeded, rows)):
        return None
    return redacted(image, [(row.task, answers[row.model]) for row in rows], labels)


def _row(
    ticket: Ticket,
    row: ResultRow,
    sheet: _Sheet,
    image: Pixels | None,
    answer: Answer,
    files: dict[str, bytes],
    drawings: dict[str, Callable[[], Pixels]],
) -> ResultRow:
    """Return a row with this job's keys, adding what they name to `files` and `drawings`."""
    unit, key = ticket.run.unit, ticket.item.key
    options = unit.options.drawing
    folder = row.model if len(unit.model.members) > 1 else None
    annotated = mask = cutout = None
    if answer.mask is not None:
        assert row.mask is not None
        mask = mask_image(key, folder)
        files[mask] = sheet.masks[row.mask]
        if TASK[row.task].has_cutouts and image is not None:
            cutout = cutout_image(key, folder)
            files[cutout] = by_task.cut_out(row.task, image, answer.mask)
    if image is not None and sheet.source.draws(row, options):
        annotated = annotated_image(key, folder, options.picture_format)
        drawings[annotated] = partial(by_task.draw, row.task, image, answer, options)
    return replace(row, annotated=annotated, mask=mask, cutout=cutout)
