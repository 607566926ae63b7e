"""PostgreSQL as a fleet has it: it drops connections, restarts and dies while jobs run."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.states import ShardState
from tests.acceptance.environment import SHORT_LEASES
from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import Outcome, outcome
from tests.acceptance.terminal import Terminal
from tests.postgres import PASSWORD, PostgresServer

SECRETS = (PASSWORD.encode(), b"p@ss")


@pytest.fixture
def fleet(postgres_fleet: Fleet) -> Iterator[Fleet]:
    """A fleet that, whatever happened to it, has told nobody its password."""
    yield postgres_fleet
    for log in postgres_fleet.folder.glob("*.log"):
        assert not [secret for secret in SECRETS if secret in log.read_bytes()], log.name


def terminate(server: PostgresServer, fleet: Fleet) -> int:
    return server.terminate(str(fleet.db.engine.url.database))


def test_nothing_depends_on_the_kind_of_database(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start(schedulers=2, workers=2)
    assert outcome(fleet, fleet.submit(pictures, model)) == undisturbed


def test_all_connections_are_closed_by_the_server_again_and_again(
    fleet: Fleet,
    postgres_server: PostgresServer,
    pictures: Path,
    model: Path,
    undisturbed: Outcome,
) -> None:
    fleet.start(schedulers=2, workers=2)
    fleet.close_gate()
    job = fleet.submit(pictures, model)
    fleet.until_held()
    # At least the two workers, a scheduler and this test are connected.
    closed = {0: terminate(postgres_server, fleet)}
    assert closed[0] >= 4
    fleet.open_gate()

    def ended() -> bool:
        done = len(fleet.shards(job, ShardState.COMMITTED, ShardState.DONE))
        if done not in closed:
            closed[done] = terminate(postgres_server, fleet)
        return fleet.job(job).finished_at is not None

    fleet.until(ended, "the job ends all the same")
    assert outcome(fleet, job) == undisturbed
    assert len(closed) > 1
    assert {shard.tries for shard in fleet.shards(job)} == {1}


@pytest.mark.parametrize("end", [PostgresServer.kill, PostgresServer.stop])
def test_a_server_that_ends_in_mid_shard_comes_back(
    fleet: Fleet,
    postgres_server: PostgresServer,
    pictures: Path,
    model: Path,
    undisturbed: Outcome,
    end: Callable[[PostgresServer], None],
) -> None:
    fleet.start(schedulers=2, workers=2)
    fleet.close_gate()
    job = fleet.submit(pictures, model)
    fleet.until_held()
    held = fleet.shards(job, ShardState.RUNNING)
    drawn = Path(fleet.job(job).output) / "annotated"
    end(postgres_server)
    try:
        fleet.open_gate()
        # The gate's picture is the sixth: with it, a shard is through, but cannot be committed.
        fleet.until((drawn / "05.png.jpg").exists, "work goes on without a database")
    finally:
        postgres_server.start()
    assert outcome(fleet, job) == undisturbed
    assert {shard.tries for shard in fleet.shards(job)} == {1}
    assert held


@pytest.mark.proof
@pytest.mark.parametrize("is_through", [True, False])
def test_a_server_that_is_away_for_longer_than_leases_costs_no_try(
    fleet: Fleet,
    postgres_server: PostgresServer,
    pictures: Path,
    model: Path,
    undisturbed: Outcome,
    is_through: bool,  # whether the shard that runs could be committed, or is still at work
) -> None:
    fleet.settings |= SHORT_LEASES
    fleet.start(schedulers=2, workers=2, MAX_TRIES="1")
    fleet.close_gate()
    job = fleet.submit(pictures, model)
    fleet.until_held()
    postgres_server.kill()
    try:
        if is_through:
            fleet.open_gate()
        time.sleep(4 * float(SHORT_LEASES["LEASE_SECONDS"]))
    finally:
        postgres_server.start()
    if not is_through:
        fleet.open_gate()
    assert outcome(fleet, job) == undisturbed
    assert {(shard.tries, shard.suspect) for shard in fleet.shards(job)} == {(1, False)}


def test_the_commands_work_and_keep_the_password_to_themselves(
    fleet: Fleet, pictures: Path, model: Path, undisturbed: Outcome
) -> None:
    fleet.start()
    terminal = Terminal(fleet)
    doctor = terminal.run("doctor", "--format", "json")
    migrated = terminal.run("db", "upgrade")
    submitted = terminal.run("submit", pictures, "--model", model, "--shard-items", "6", "--watch")
    status = terminal.run("status", "latest", "--format", "json")
    terminal.close()
    for command in (doctor, migrated, submitted, status):
        assert command.code == 0, command.err
        assert not [s for s in SECRETS if s.decode() in command.out + command.err]
    assert "skipper:***@127.0.0.1" in doctor.out
    assert status.object["items"]["succeeded"] == len(undisturbed.rows)
