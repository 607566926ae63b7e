"""A source for items that are an image file each, which its own threads fetch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from core.items import ItemRef
from vision.decode import decode_image
from worker.pipeline.flow import Flow, Ticket
from worker.pipeline.items import fetch
from worker.pipeline.picture import Picture
from worker.pipeline.stage import Stage


class ImageFiles:
    """Fetches image files; its threads serve all runs of the process."""

    def __init__(self, *, threads: int) -> None:
        self._fetch: Stage[ItemRef, bytes] = Stage(
            "fetch", _fetch, _hand_over, threads=threads, depth=16
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
    return fetch(item, ticket.run.unit)


def _hand_over(ticket: Ticket, data: bytes) -> None:
    ticket.flow.put(ticket, partial(_decoded, ticket, data))


def _decoded(ticket: Ticket, data: bytes) -> Picture:
    image = decode_image(data, max_pixels=ticket.run.unit.options.limits.max_pixels)
    return Picture(ticket.item, None, None, image)
