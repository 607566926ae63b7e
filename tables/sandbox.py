"""A DuckDB that reads the views of some jobs, and nothing else."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from core.errors import UsageError
from tables.columns import TABLES
from tables.sources import Asked, FlatResults, table_of
from tables.views import definitions

_LOCKED = (
    "SET enable_progress_bar = false",
    "SET temp_directory = ''",
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
"""https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview"""

_ROWS_OF_THEIR_OWN = frozenset({"generate_series", "range", "repeat", "unnest"})
"""The functions that a query may take rows from: none of them reads anything."""


class Sandbox:
    """A DuckDB with the views of these jobs."""

    def __init__(self, jobs: Sequence[Asked], *, threads: int, memory: int) -> None:
        """Open it; no results are read yet. `memory` is in bytes.

        Raises:
            RegattaError: the tables of a job cannot be reached.
        """
        config: dict[str, Any] = {"threads": threads, "memory_limit": f"{memory}B"}
        self._connection = duckdb.connect(config=config)
        self._tables = []
        names: dict[str, dict[str, str]] = {}
        for name in TABLES:
            for job in jobs:
                table = table_of(job, name, threads=threads)
                self._tables.append(table)
                names.setdefault(name, {})[job.job] = f"{name} of {job.job}"
                self._connection.register(names[name][job.job], table)
        for statement in (*definitions(names), *_LOCKED):
            self._connection.execute(statement)

    def rows(self, sql: str, batch_rows: int) -> Any:
        """Return a reader (`pyarrow.RecordBatchReader`) of what a query finds, batch by batch.

        Raises:
            UsageError: it is not one query, or takes rows from somewhere else.
            duckdb.Error: DuckDB cannot run it.
        """
        statements = self._connection.extract_statements(sql)
        if len(statements) != 1:
            raise UsageError(
                "there is no query" if not statements else f"{len(statements)} statements in one",
                hint="write one SELECT",
            )
        statement = statements[0]
        if statement.type is duckdb.StatementType.MULTI:  # it would have to look for them first
            raise UsageError(
                "a PIVOT has to name its values",
                hint="as in: pivot items on state in ('succeeded', 'quarantined') using count(*)",
            )
        if statement.type is not duckdb.StatementType.SELECT:
            raise UsageError(
                f"{statement.type.name.replace('_', ' ')} is not possible: a query only reads",
                hint="write one SELECT",
            )
        self._check(statement.query)
        return self._connection.sql(statement.query).to_arrow_reader(batch_rows)

    def failure(self) -> Exception | None:
        """Return why results could not be read, if that has happened."""
        failures = (one.failure for one in self._tables if isinstance(one, FlatResults))
        return next((one for one in failures if one is not None), None)

    def _check(self, sql: str) -> None:
        found = self._connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
        tree = json.loads(found[0][0])
        if tree["error"]:  # what cannot be looked at is not run
            raise UsageError(tree["error_message"], hint="write one SELECT")
        for name in _functions_of_rows(tree):
            if name not in _ROWS_OF_THEIR_OWN:
                raise UsageError(
                    f"{name}() is not possible: a query reads the views of its jobs only",
                    hint="`regatta query JOB` lists the views",
                )


def _functions_of_rows(tree: Any) -> Iterator[str]:
    """Yield the names of the functions after FROM anywhere in a query's syntax tree."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            if node.get("type") == "TABLE_FUNCTION":
                yield str(node["function"].get("function_name", "")).lower()
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)
