"""Where the flat tables of jobs are read from: flat files if there are some, else parts."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import dataset

from core.errors import FatalError, RegattaError
from store.locations import arrow_place
from store.view_reading import Read, View
from tables.columns import SCHEMAS
from tables.flatten import flat, needed

_WORD = re.compile(r"\w+")
_AHEAD = 2  # parts per thread that are read, but not asked for yet


@dataclass(frozen=True, slots=True)
class Files:
    """The flat files of a job: `keys` under the location `output`, by table."""

    output: str
    keys: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A job that is asked about, and where its flat tables come from.

    It can be sent to another process, which needs no job database then.
    """

    job: str
    origin: View | Files


def table_of(of: Asked, name: str, *, threads: int) -> dataset.Dataset:
    """Return a job's flat table of this name; only what is asked of it will be read.

    Raises:
        FatalError: a flat file is missing or damaged.
    """
    if isinstance(of.origin, View):
        return FlatResults(name, of.origin, threads=threads)
    return _of_files(of.origin, name)


def _of_files(files: Files, name: str) -> dataset.Dataset:
    keys = files.keys.get(name, ())
    root, filesystem = arrow_place(files.output)
    try:
        return dataset.dataset(
            [f"{root}/{key}" for key in keys],
            schema=SCHEMAS[name],
            format="parquet",
            filesystem=filesystem,
        )
    except (OSError, pa.ArrowException) as error:
        raise FatalError(f"the tables in {files.output} cannot be read: {error}") from error


class FlatResults(dataset.Dataset):  # type: ignore[misc]
    """A flat table that is made from nested results whenever it is read.

    pyarrow's class says what a library like DuckDB may ask of it: its schema, and a scanner of some
    of its columns. Memory holds a few parts.
    """

    def __init__(self, name: str, view: View, *, threads: int) -> None:
        self._name = name
        self._view = view
        self._threads = threads
        self.failure: RegattaError | None = None
        """Why it could not be read, which those who ask may not hand on."""

    @property
    def schema(self) -> pa.Schema:
        """The schema of the flat table."""
        return SCHEMAS[self._name]

    def scanner(
        self,
        columns: Sequence[str] | None = None,
        filter: Any = None,  # noqa: A002 - pyarrow's name
        **_options: Any,
    ) -> dataset.Scanner:
        """Return what reads these columns of the rows that pass the filter."""
        whole = SCHEMAS[self._name]
        names = whole.names if columns is None else list(columns)
        # An expression does not say of which columns it speaks, but its text has their names.
        words = set() if filter is None else set(_WORD.findall(str(filter)))
        spoken_of = [name for name in whole.names if name in words]
        read = [name for name in whole.names if name in {*names, *spoken_of}]
        return dataset.Scanner.from_batches(
            self._batches(read, spoken_of, filter),
            schema=pa.schema([whole.field(name) for name in read]),
            columns=names,
            use_threads=False,
        )

    def _batches(
        self, columns: Sequence[str], spoken_of: Sequence[str], condition: Any
    ) -> Iterator[pa.RecordBatch]:
        """Yield what passes a condition on the columns of which it speaks."""

        def columns_of(part: Read, names: Sequence[str]) -> pa.Table:
            return flat(self._name, part(needed(self._name, names)), names).select(names)

        def read(part: Read) -> pa.Table:
            if not spoken_of:
                return columns_of(part, columns)
            # Most parts have nothing of what is looked for, and their other columns need no read.
            if not len(columns_of(part, spoken_of).filter(condition)):
                return SCHEMAS[self._name].empty_table().select(columns)
            return columns_of(part, columns).filter(condition)

        pool = ThreadPoolExecutor(self._threads)
        try:
            for table in _ahead(pool, read, self._view.reads(), _AHEAD * self._threads):
                yield from table.to_batches()
        except RegattaError as error:
            self.failure = error
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _ahead(
    pool: Executor,
    read: Callable[[Read], pa.Table],
    parts: Iterable[Read],
    most: int,
) -> Iterator[pa.Table]:
    """Yield what is read of each part, in their order, while so many more are read."""
    waiting: deque[Future[pa.Table]] = deque()
    for part in parts:
        waiting.append(pool.submit(read, part))
        if len(waiting) > most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
