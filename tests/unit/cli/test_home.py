import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.stack.broker import answers, server_binary, server_command
from cli.stack.home import Home
from core.errors import BlockedError, RegattaError, UsageError
from core.private import make_private
from registry.cache import incoming
from store.database import Database


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short XDG_RUNTIME_DIR: a long one is not used."""
    with tempfile.TemporaryDirectory(prefix="run-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def test_two_homes_share_nothing(tmp_path: Path, runtime: Path) -> None:
    one, two = Home(tmp_path / "one"), Home(tmp_path / "two")
    for home in (one, two):
        home.prepare()
        home.prepare()
    assert one.runtime != two.runtime
    assert one.runtime.parent == runtime
    assert one.runtime.stat().st_mode & 0o777 == 0o700


def test_sockets_have_short_names_whatever_the_home_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/" + "r" * 90)
    assert len(os.fsencode(Home(tmp_path / ("x" * 200)).socket)) < 100
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert len(os.fsencode(Home(tmp_path / ("x" * 200)).socket)) < 100


def test_somebody_elses_runtime_directory_is_refused(
    tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    mine = os.getuid()
    monkeypatch.setattr("os.getuid", lambda: mine + 1)
    with pytest.raises(UsageError, match="is somebody else's"):
        home.prepare()
    monkeypatch.undo()


def test_a_link_in_place_of_the_runtime_directory_is_refused(tmp_path: Path, runtime: Path) -> None:
    home = Home(tmp_path / "home")
    home.runtime.symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(UsageError, match="is somebody else's"):
        home.prepare()


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="cannot be made") as caught:
        Home(tmp_path / "file" / "home").prepare()
    assert "REGATTA_HOME" in str(caught.value.hint)


def test_a_full_disk_is_no_wrong_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "home"))

    monkeypatch.setattr("pathlib.Path.mkdir", full)
    with pytest.raises(BlockedError, match="waiting for room"):
        Home(tmp_path / "home").prepare()
    with pytest.raises(BlockedError, match="waiting for room"):
        Database(f"sqlite:///{tmp_path}/home/regatta.db")
    with pytest.raises(BlockedError, match="waiting for room"), incoming(tmp_path / "models"):
        pass


def test_the_systems_own_server_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert server_binary().endswith("/valkey-server")
    (tmp_path / "redis-server").write_text("#!/bin/sh\n")
    (tmp_path / "redis-server").chmod(0o755)
    assert server_binary() == str(tmp_path / "redis-server")


def test_no_server_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(RegattaError, match="no Redis server") as caught:
        server_binary()
    assert "REGATTA_BROKER_URL" in str(caught.value.hint)


def test_the_server_listens_on_its_socket_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    words = server_command(home)
    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert options["--port"] == "0"
    assert options["--unixsocket"] == str(home.socket)
    assert not answers(home.socket)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_the_home_is_for_its_owner_alone_whatever_the_umask(
    tmp_path: Path, runtime: Path, umask: int
) -> None:
    home = Home(tmp_path / "home")
    before = os.umask(umask)
    try:
        make_private(home.path)
    finally:
        os.umask(before)
    assert home.path.stat().st_mode & 0o777 == 0o700


def test_a_home_of_an_earlier_release_is_closed(tmp_path: Path, runtime: Path) -> None:
    home = Home(tmp_path / "home")
    home.path.mkdir()
    home.path.chmod(0o755)
    home.prepare()
    assert home.path.stat().st_mode & 0o777 == 0o700
