from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import Outcome, outcome
from tests.acceptance.pictures import write_model, write_pictures
from tests.acceptance.terminal import Terminal
from tests.databases import PostgresDatabases, SqliteDatabases


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory for the stand-in."""
    return write_model(tmp_path_factory.mktemp("models") / "standin")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that most jobs read. Results name its files' times: it must stay as it is."""
    folder = tmp_path_factory.mktemp("data") / "pictures"
    write_pictures(folder)
    return folder


@pytest.fixture
def fleet(tmp_path: Path, sqlite_databases: SqliteDatabases) -> Iterator[Fleet]:
    """A home of the test's own, in which nothing runs yet."""
    fleet = Fleet(tmp_path / "home", sqlite_databases.new)
    yield fleet
    fleet.close()


@pytest.fixture
def postgres_fleet(tmp_path: Path, postgres_databases: PostgresDatabases) -> Iterator[Fleet]:
    """The same on PostgreSQL, to which all of its processes connect with a password."""
    fleet = Fleet(tmp_path / "home", postgres_databases.new)
    yield fleet
    fleet.close()


@pytest.fixture(scope="session")
def calm_fleet(
    tmp_path_factory: pytest.TempPathFactory, sqlite_databases: SqliteDatabases
) -> Iterator[Fleet]:
    """A running fleet that nobody disturbs, shared by all tests that only submit jobs."""
    fleet = Fleet(tmp_path_factory.mktemp("calm") / "home", sqlite_databases.new)
    fleet.start(STANDIN_ARMED="refuse-nothing")
    yield fleet
    fleet.close()


@pytest.fixture(scope="session")
def paddle_terminal(
    tmp_path_factory: pytest.TempPathFactory, sqlite_databases: SqliteDatabases
) -> Iterator[Terminal]:
    """A home in which `regatta up` runs Paddle, shared by all tests that only run commands."""
    fleet = Fleet(tmp_path_factory.mktemp("paddle") / "home", sqlite_databases.new)
    terminal = Terminal(fleet, ENGINES="paddle")
    terminal.up()
    yield terminal
    terminal.close()
    fleet.close()


@pytest.fixture(scope="session")
def undisturbed(calm_fleet: Fleet, pictures: Path, model: Path) -> Outcome:
    """What the job over `pictures` leaves when nothing goes wrong."""
    return outcome(calm_fleet, calm_fleet.submit(pictures, model))
