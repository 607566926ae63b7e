"""A sink whose own threads store each file as an object under the job's output."""

from collections.abc import Sequence

from store.parts import ResultRow
from vision.encode import encode_jpeg
from worker.pipeline.flow import Finished, Ticket
from worker.pipeline.items import opened
from worker.pipeline.stage import Stage


class ObjectSink:
    """Uploads JPEGs, masks and cut-outs; its threads serve all runs of the process. See `Sink`."""

    def __init__(self, *, threads: int) -> None:
        self._upload: Stage[Finished, Sequence[ResultRow]] = Stage(
            "upload", _uploaded, Ticket.leave, threads=threads, depth=16
        )

    @staticmethod
    def encoded(ticket: Ticket, finished: Finished) -> Finished:
        """Draw the pictures and encode them as JPEG, one at a time."""
        quality = ticket.run.unit.jpeg_quality
        jpegs = {key: encode_jpeg(draw(), quality) for key, draw in finished.drawings.items()}
        return Finished(finished.rows, {**jpegs, **finished.files}, {})

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
