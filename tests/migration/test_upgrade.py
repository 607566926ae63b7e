import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, inspect, text

from core.errors import UsageError
from core.kinds import ShardKind
from migrations.upgrade import _migrate, current, downgrade, is_current, upgrade
from store import processes
from store.artefacts import artefacts_of, part_of
from store.database import Database
from store.profiles import part_profiles, present_number, profiles_of
from store.revision import NEWEST
from store.tables import Base, Job, Process, Rate, Shard

OURS = {
    *("job_references", "jobs", "models", "processes", "rates", "sick_devices"),
    *("shard_dependencies", "shards", "verdicts"),
    "compactions",
    "dismissals",
    "estimates",
    "notifications",
    "schedule_fires",
    "schedule_revisions",
    "schedules",
}


@contextmanager
def engine(url: str) -> Iterator[Engine]:
    db = Database(url)
    yield db.engine
    db.close()


def execute(url: str, statement: str) -> None:
    with engine(url) as opened, opened.begin() as connection:
        connection.execute(text(statement))


def tables(url: str) -> set[str]:
    with engine(url) as opened:
        return set(inspect(opened).get_table_names()) - {"alembic_version"}


def test_empty_to_head_to_base_to_head(url: str) -> None:
    assert current(url) is None
    assert not is_current(url)
    upgrade(url)
    assert current(url) == NEWEST
    assert is_current(url)
    assert tables(url) == OURS
    downgrade(url, "base")
    assert current(url) is None
    assert tables(url) == set()
    upgrade(url)
    assert is_current(url)
    assert tables(url) == OURS


def test_head_is_what_the_code_declares(url: str) -> None:
    upgrade(url)
    _migrate(url, command.check)
    execute(url, "CREATE INDEX stray ON jobs (name)")
    with pytest.raises(UsageError, match="stray"):
        _migrate(url, command.check)


def test_every_constraint_has_the_name_that_the_code_gives_it(url: str) -> None:
    upgrade(url)
    with engine(url) as opened:
        found = inspect(opened)
        for name, table in Base.metadata.tables.items():
            names = {found.get_pk_constraint(name)["name"]}
            names |= {constraint["name"] for constraint in found.get_unique_constraints(name)}
            names |= {constraint["name"] for constraint in found.get_foreign_keys(name)}
            assert names == {str(constraint.name) for constraint in table.constraints}


def test_upgrading_again_keeps_what_is_there(url: str) -> None:
    upgrade(url)
    db = Database(url)
    db.write(
        lambda s: s.add(Rate(model_digest="d", engine="e", items_per_second=2.5, measured_at=1.0))
    )
    upgrade(url)
    rate = db.read(lambda s: s.get_one(Rate, ("d", "e")))
    assert rate.items_per_second == 2.5
    db.close()


JOB_OF_0001 = """
INSERT INTO jobs (id, name, task, source, output, model, options, selection, tags, version, state,
    priority, generation, profile, created_at, plan_attempt, plan_parts, listed, shards,
    passed_over)
VALUES ('a', 'a', 'detect', '/in', '/out', '{}', '{}', '{}', '[]', '0', 'partial',
    0, 0, '{"engine": "e"}', 1.0, 1, 1, 4, 1, '{}')
"""
SHARD_OF_0001 = """
INSERT INTO shards (id, job_id, seq, kind, queue, items_key, start, stop, items, state, attempt,
    tries, available_at, progress, suspect, deaths, part_attempt, succeeded, skipped, quarantined)
VALUES (7, 'a', 0, 'infer', 'detect', 'k', 0, 4, 4, 'done', 1,
    1, 0.0, 0, false, '{}', 1, 2, 1, 1)
"""


def test_jobs_from_before_profiles_had_numbers_are_at_their_first(url: str) -> None:
    _migrate(url, lambda config: command.upgrade(config, "0001"))
    execute(url, JOB_OF_0001)
    execute(url, SHARD_OF_0001)
    upgrade(url)
    db = Database(url)
    job, shard = db.read(lambda s: (s.get_one(Job, "a"), s.get_one(Shard, 7)))
    assert profiles_of(job) == [{"engine": "e"}]
    assert present_number(job) == shard.profile_number == 0
    assert part_profiles(shard) == {0: 3}
    db.close()
    downgrade(url, "0001")
    with engine(url) as opened, opened.connect() as connection:
        assert connection.execute(text("SELECT id, succeeded FROM shards")).all() == [(7, 2)]
    upgrade(url)


PROCESS_OF_0002 = """
INSERT INTO processes (id, role, host, pid, version, started_at, heartbeat_at, draining, slots,
    queues, offers)
VALUES ('w', 'worker', 'h', 1, '0', 1.0, 1000.0, false, 2, '["detect", "media"]', '[]')
"""


def test_what_the_version_before_kinds_writes_is_inference(url: str) -> None:
    _migrate(url, lambda config: command.upgrade(config, "0002"))
    execute(url, JOB_OF_0001)
    upgrade(url)
    execute(url, SHARD_OF_0001)
    execute(url, PROCESS_OF_0002)
    db = Database(url)
    job, shard, worker = db.read(
        lambda s: (s.get_one(Job, "a"), s.get_one(Shard, 7), s.get_one(Process, "w"))
    )
    assert job.kind == shard.kind == ShardKind.INFER
    assert (part_of(shard), shard.spec, artefacts_of(shard)) == ("000000", None, [])
    assert [kind for kind in ShardKind if processes.knows(worker, kind)] == [ShardKind.INFER]
    db.close()


def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    upgrade(url)
    execute(url, "UPDATE alembic_version SET version_num = '9999'")
    assert not is_current(url)
    with pytest.raises(UsageError, match="9999") as caught:
        upgrade(url)
    assert caught.value.hint is not None
    assert "newer" in caught.value.hint


def test_a_failed_migration_leaves_nothing_behind(url: str) -> None:
    execute(url, "CREATE TABLE processes (id INTEGER)")  # in the way
    with pytest.raises(Exception, match="already exists"):
        upgrade(url)
    assert tables(url) == {"processes"}
    assert current(url) is None


UPGRADE = "import sys; from migrations.upgrade import upgrade; upgrade(sys.argv[1])"


ROOT = Path(__file__).parents[2]


def started(url: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", UPGRADE, url],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_three_processes_at_once_in_another_directory(url: str, tmp_path: Path) -> None:
    with (
        started(url, tmp_path) as one,
        started(url, tmp_path) as two,
        started(url, tmp_path) as three,
    ):
        for process in (one, two, three):
            _, stderr = process.communicate(timeout=60)
            assert process.returncode == 0, stderr
    assert is_current(url)


def test_an_installation_under_a_name_with_a_percent_sign(tmp_path: Path, url: str) -> None:
    copy = tmp_path / "100%s"
    for package in ("core", "migrations", "store"):
        for file in (ROOT / package).rglob("*.py"):
            target = copy / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    subprocess.run([sys.executable, "-c", UPGRADE, url], cwd=copy, check=True, timeout=60)
    assert is_current(url)
