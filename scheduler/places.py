"""Where jobs read and write, so that nobody removes what is another's."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import NewerError, UsageError
from core.sources import Source, SourceKind, parse_source, sources_by_prefix
from store.locations import absolute
from store.s3.location import is_s3
from store.schedules import definition_of, list_schedules
from store.tables import Job

_WALKED = {SourceKind.FOLDER, SourceKind.GLOB}


@dataclass(frozen=True, slots=True)
class Places:
    """A job's output and sources: real paths, or URLs of buckets; those of folders end in `/`."""

    job: str
    output: str
    sources: tuple[str, ...]
    sees_hidden: bool

    def reads(self, folder: str) -> bool:
        """Return whether the job's items lie, or may lie, in a folder (`real_folder`)."""
        return any(
            source.startswith(folder) or (source.endswith("/") and self._walks(source, folder))
            for source in self.sources
        )

    def _walks(self, source: str, folder: str) -> bool:
        way = folder.removeprefix(source)
        is_inside = folder.startswith(source)
        return is_inside and (
            self.sees_hidden or not any(name.startswith(".") for name in way.split("/"))
        )


def places_of_all(session: Session) -> Sequence[Places]:
    """Return the places of all jobs."""
    rows = session.execute(select(Job.id, Job.output, Job.source, Job.selection))
    return [
        Places(
            row.id,
            real_folder(row.output),
            _real(sources_by_prefix(row.source, row.selection.get("sources", ())).values()),
            sees_hidden=bool(row.selection.get("hidden")),
        )
        for row in rows
    ]


def places_of_schedules(session: Session) -> Sequence[Places]:
    """Return where schedules read, as `schedule NAME`; they have no output of their own."""
    found = []
    for row in list_schedules(session):
        with suppress(NewerError):  # what a newer version's schedule reads can't be told
            request = definition_of(row).request
            sources = _real(map(parse_source, request.sources))
            hidden = bool(request.said.get("hidden"))
            found.append(Places(f"schedule {row.name}", "", sources, sees_hidden=hidden))
    return found


def _real(sources: Iterable[Source]) -> tuple[str, ...]:
    return tuple(
        real_folder(one.root) + ("" if one.kind in _WALKED else one.name) for one in sources
    )


def real_folder(location: str) -> str:
    """Return a folder's path once links are resolved, or its URL in a bucket, with a final `/`."""
    place = location
    if not is_s3(location):
        with suppress(UsageError):  # another version's, of a kind that is unknown here
            place = os.path.realpath(absolute(location))
    return f"{place.rstrip('/')}/"
