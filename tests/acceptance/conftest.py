from collections.abc import Iterator
from pathlib import Path

import pytest

from migrations.upgrade import upgrade
from tests.acceptance.fleet import Fleet
from tests.acceptance.outcome import Outcome, outcome
from tests.acceptance.pictures import write_model, write_pictures


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without rows, which every fleet gets a copy of."""
    path = tmp_path_factory.mktemp("database") / "regatta.db"
    upgrade(f"sqlite:///{path}")
    return path


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
def fleet(tmp_path: Path, empty_database: Path) -> Iterator[Fleet]:
    """A home of the test's own, in which nothing runs yet."""
    fleet = Fleet(tmp_path / "home", empty_database)
    yield fleet
    fleet.close()


@pytest.fixture(scope="session")
def calm_fleet(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Fleet]:
    """A running fleet that nobody disturbs, shared by all tests that only submit jobs."""
    fleet = Fleet(tmp_path_factory.mktemp("calm") / "home", empty_database)
    fleet.start(STANDIN_ARMED="refuse-nothing")
    yield fleet
    fleet.close()


@pytest.fixture(scope="session")
def undisturbed(calm_fleet: Fleet, pictures: Path, model: Path) -> Outcome:
    """What the job over `pictures` leaves when nothing goes wrong."""
    return outcome(calm_fleet, calm_fleet.submit(pictures, model))
