"""Image files in, and pictures out: a source and a sink that wait for object stores."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from core.items import ItemRef
from core.repeats import Repeats
from store.parts import ResultRow
from vision.encode import encode_picture
from vision.read.decoded import Header
from vision.read.picture import read_picture
from worker.pipeline.budget import Held
from worker.pipeline.flow import Finished, Flow, Picture, Ticket
from worker.pipeline.items import fetch, opened
from worker.pipeline.stage import Stage

_log = structlog.get_logger(__name__)
_repeats = Repeats()


class ImageFiles:
    """Fetches image files; its threads serve all runs of the process."""

    def __init__(self, *, threads: int) -> None:
        self._fetch: Stage[ItemRef, bytes] = Stage(
            "fetch", _fetch, _hand_over, threads=threads, depth=16, is_waiting=True
        )

    @property
    def load(self) -> int:
        """Files that have been let in but not handed over yet."""
        return self._fetch.load

    def of(self, items: Sequence[ItemRef]) -> "_Files":
        """Return the source of these items' pictures, which enter in the given order."""
        return _Files(self._fetch, items)

    def close(self) -> None:
        """End the threads once everything is handed over."""
        self._fetch.close()


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of one run. See `worker.pipeline.flow.Source`."""

    fetch: Stage[ItemRef, bytes]
    items: Sequence[ItemRef]

    def feed(self, flow: Flow) -> None:
        """Let the files in one by one."""
        for item in self.items:
            self.fetch.put(flow.enter(item), item)


def _fetch(ticket: Ticket, item: ItemRef) -> bytes:
    ticket.hold(Held.FILE, min(item.size or 0, ticket.run.unit.options.limits.max_item_bytes))
    data = fetch(item, ticket.run.unit)
    ticket.hold_exactly(Held.FILE, len(data))  # a text list knows no sizes
    return data


def _hand_over(ticket: Ticket, data: bytes) -> None:
    ticket.flow.put(ticket, partial(_decoded, ticket, [data]))


def _decoded(ticket: Ticket, files: list[bytes]) -> Picture:
    """Decode the one file, which is taken out of the list: it isn't needed any more."""

    def make_room(header: Header) -> None:
        ticket.hold(Held.PIXELS, header.decode_bytes, pixels=header.width * header.height)

    limits = ticket.run.unit.options.limits
    found = read_picture(
        files.pop(), max_pixels=limits.max_pixels, is_lenient=limits.lenient, begin=make_room
    )
    ticket.let_go(Held.FILE)
    ticket.hold_exactly(Held.PIXELS, found.pixels.nbytes)
    if found.warnings:
        ticket.warning = "; ".join(found.warnings)
        _tell(ticket)
    return Picture(ticket.item, None, None, found.pixels)


def _tell(ticket: Ticket) -> None:
    """Log what is odd about a file, now and then where a job has many of these."""
    job = ticket.run.unit.job
    if (times := _repeats.due(job)) is not None:
        _log.warning(
            "picture read with a warning",
            job=job,
            item=ticket.item.key,
            warning=ticket.warning,
            times=times,
        )


class ObjectSink:
    """Uploads pictures, masks and cut-outs, with threads that serve all runs. See `Sink`."""

    def __init__(self, *, threads: int) -> None:
        self._upload: Stage[Finished, Sequence[ResultRow]] = Stage(
            "upload", _uploaded, Ticket.leave, threads=threads, depth=16, is_waiting=True
        )

    @staticmethod
    def encoded(ticket: Ticket, finished: Finished) -> Finished:
        """Draw the pictures and encode them, one at a time."""
        unit = ticket.run.unit
        form, quality = unit.options.drawing.picture_format, unit.jpeg_quality
        drawn = {
            key: encode_picture(draw(), form, quality) for key, draw in finished.drawings.items()
        }
        return Finished(finished.rows, {**drawn, **finished.files}, {})

    def put(self, ticket: Ticket, finished: Finished) -> None:
        """Have the files uploaded, waiting while too many are queued."""
        self._upload.put(ticket, finished)

    def missing(self, ticket: Ticket) -> None:
        """Do nothing: nobody waits for a file that doesn't come."""

    def close(self) -> None:
        """End the threads once everything is uploaded."""
        self._upload.close()


def _uploaded(ticket: Ticket, finished: Finished) -> Sequence[ResultRow]:
    # Straight to the final keys: under one profile a second writer writes the same bytes.
    for key, data in finished.files.items():
        opened(ticket.run.unit.output).put(key, data)
    return finished.rows
