"""During an upgrade the version before still runs: a revision may add, but not take away.

Checked as that version would notice it: the tables as they were at each earlier revision are read
back from a database, and rows of that shape are written, changed and read on the newest one.
What breaks this goes in two releases: the first stops using it, the second removes it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from kombu.connection import Connection
from sqlalchemy import JSON, MetaData, Table, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from config.broker import celery_settings
from core.kinds import ShardKind
from core.messages import QUEUES, ShardMessage, queue_for
from migrations.upgrade import _config, _migrate, upgrade
from scheduler.dispatch import Dispatcher
from scheduler.doorbell import Doorbell
from store.database import Database
from store.tables import Process
from tests.bench import Bench


def revisions() -> list[str]:
    """Every revision, the oldest first."""
    scripts = ScriptDirectory.from_config(_config())
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def tables_at(url: str) -> MetaData:
    found = MetaData()
    db = Database(url)
    found.reflect(db.engine)
    db.close()
    found.remove(found.tables["alembic_version"])
    return found


def use(url: str, tables: MetaData) -> None:
    """Do with each table what a version does that knows it like this."""
    db = Database(url)
    try:
        with db.engine.begin() as connection:
            for table in tables.sorted_tables:
                connection.execute(insert(table).values(row_of(table)))
                some = next(iter(table.columns))
                connection.execute(update(table).values({some: some}))
                connection.execute(select(table)).one()
            for table in reversed(tables.sorted_tables):
                connection.execute(delete(table))
    finally:
        db.close()


def row_of(table: Table) -> dict[str, Any]:
    """A row whose values are alike in all tables, so that it may refer to them."""
    plain: dict[type, Any] = {int: 1, str: "1", float: 1.0, bool: True}
    return {
        column.name: {} if isinstance(column.type, JSON) else plain[column.type.python_type]
        for column in table.columns
    }


@pytest.mark.parametrize("revision", revisions())
def test_what_was_written_for_a_revision_works_on_the_newest(url: str, revision: str) -> None:
    _migrate(url, lambda config: command.upgrade(config, revision))
    tables = tables_at(url)
    assert "jobs" in tables.tables
    upgrade(url)
    use(url, tables)


@pytest.mark.parametrize("revision", revisions())
def test_each_step_can_be_taken_back(url: str, revision: str) -> None:
    _migrate(url, lambda config: command.upgrade(config, revision))
    before = {table.name: set(table.columns.keys()) for table in tables_at(url).sorted_tables}
    _migrate(url, lambda config: command.downgrade(config, "-1"))
    _migrate(url, lambda config: command.upgrade(config, revision))
    after = {table.name: set(table.columns.keys()) for table in tables_at(url).sorted_tables}
    assert after == before


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE rates ADD COLUMN extra VARCHAR",
        "ALTER TABLE rates ADD COLUMN extra VARCHAR NOT NULL DEFAULT 'x'",
        "CREATE TABLE more (id INTEGER)",
        "CREATE INDEX faster ON jobs (name)",
    ],
)
def test_additions_pass(url: str, change: str) -> None:
    assert_change(url, change)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE rates DROP COLUMN measured_at",
        "ALTER TABLE rates RENAME COLUMN measured_at TO at",
        "DROP TABLE rates",
        "ALTER TABLE rates RENAME TO speeds",
    ],
)
def test_removals_are_noticed(url: str, change: str) -> None:
    with pytest.raises(DBAPIError):
        assert_change(url, change)


@pytest.fixture
def bench(url: str, tmp_path: Path) -> Iterator[Bench]:
    upgrade(url)
    bench = Bench(url, tmp_path)
    yield bench
    bench.db.close()


def reads(message: dict[str, object]) -> bool:
    """Whether a worker of the version before kinds takes a message; it would infer."""
    return message.get("version") == 1


@pytest.mark.parametrize("kind", sorted(ShardKind))
def test_a_worker_from_before_kinds_gets_nothing_but_inference(
    bench: Bench, broker: str, kind: ShardKind
) -> None:
    bench.job("a")
    bench.shard("a", seq=0, kind=kind)
    bench.worker("before", queues=QUEUES)
    bench.db.write(lambda s: s.execute(update(Process).values(kinds=None)))
    doorbell = Doorbell(celery_settings(broker))
    dispatcher = Dispatcher(bench.db, doorbell, worker_ttl=30, republish_seconds=10)
    queue = queue_for("detect", kind)
    is_inference = kind is ShardKind.INFER
    try:
        assert dispatcher.tick() == is_inference
        bench.worker("of_now", queues=QUEUES)  # and both take messages from the same queue
        assert dispatcher.tick() == (not is_inference)
    finally:
        doorbell.close()
    with Connection(broker) as connection, connection.SimpleQueue(queue) as messages:
        [told] = messages.get(block=False).payload[0]
    assert reads(told) == is_inference
    assert ShardMessage.from_json(told).shard == 1


def assert_change(url: str, change: str) -> None:
    upgrade(url)
    tables = tables_at(url)
    db = Database(url)
    db.write(lambda s: s.execute(text(change)))
    db.close()
    use(url, tables)
