"""Where the embedded stack of a home keeps its files, and what its keeper writes about it."""

import hashlib
import json
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cli.stack.processid import ProcessId
from core.errors import UsageError
from core.private import make_private
from store.file_errors import no_room

_SOCKET_BYTES = 100  # the address of a Unix socket has 108 bytes, its end included


@dataclass(frozen=True, slots=True)
class Home:
    """The files below one `REGATTA_HOME`, and the short directory of its sockets.

    - `users_lock`: every command that uses the stack holds it shared; the keeper stops the stack
      once it gets it for itself;
    - `start_lock`: held while a command checks whether a keeper is alive, and starts one;
    - `keeper_lock`: held by the keeper as long as it is alive;
    - `state`: what the keeper runs, see `StackState`.
    """

    path: Path

    @property
    def users_lock(self) -> Path:
        """The lock that every user of the stack holds, shared."""
        return self.path / "users.lock"

    @property
    def start_lock(self) -> Path:
        """The lock that whoever is about to start a keeper holds."""
        return self.path / "start.lock"

    @property
    def keeper_lock(self) -> Path:
        """The lock that the keeper holds."""
        return self.path / "keeper.lock"

    @property
    def state(self) -> Path:
        """The file that says what the keeper runs."""
        return self.path / "stack.json"

    @property
    def logs(self) -> Path:
        """The directory of the logs, a file per process."""
        return self.path / "logs"

    def log(self, name: str) -> Path:
        """Return the log of one process."""
        return self.logs / f"{name}.log"

    @property
    def runtime(self) -> Path:
        """A short path for sockets, for this user and this home alone."""
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        base = os.environ.get("XDG_RUNTIME_DIR", "")
        if base.startswith("/") and len(os.fsencode(base)) < _SOCKET_BYTES // 2:
            return Path(base) / f"regatta-{name}"
        return Path("/tmp") / f"regatta-{os.getuid()}-{name}"  # noqa: S108 - see `prepare`

    @property
    def socket(self) -> Path:
        """The socket on which Redis listens."""
        return self.runtime / "redis.sock"

    def prepare(self) -> None:
        """Create the directories; the home is for its owner alone.

        Raises:
            UsageError: one cannot be created, or does not belong to this user.
            BlockedError: the disk is full.
        """
        try:
            make_private(self.path)
            self.logs.mkdir(parents=True, exist_ok=True)
            self.runtime.mkdir(mode=0o700, exist_ok=True)
            found = self.runtime.lstat()
        except OSError as error:
            raise no_room(self.path, error) or UsageError(
                f"{error.filename!r} cannot be made: {error.strerror}",
                hint="set REGATTA_HOME to a directory that you can write",
            ) from error
        # Anybody may create a directory in /tmp, and whoever owns it owns the broker in it.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise UsageError(f"{self.runtime} is somebody else's", hint="set XDG_RUNTIME_DIR")
        self.runtime.chmod(0o700)

    def clean(self) -> None:
        """Remove what means nothing once the stack has stopped."""
        self.state.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)
        with suppress(OSError):  # somebody may have put something else there
            self.runtime.rmdir()


@dataclass(frozen=True, slots=True)
class StackState:
    """The keeper, whether its stack is ready, where its broker is, and what runs in it."""

    keeper: ProcessId
    ready: bool
    broker_url: str | None
    children: dict[str, ProcessId] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Replace the file at once: readers see all of the old one or all of the new."""
        data = {
            "keeper": self.keeper.to_json(),
            "ready": self.ready,
            "broker_url": self.broker_url,
            "children": {name: child.to_json() for name, child in self.children.items()},
        }
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        unfinished.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        unfinished.replace(path)


def read_state(path: Path) -> StackState | None:
    """Return what the last keeper wrote; None if there was none, or it can't be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return StackState(
            keeper=ProcessId.from_json(data["keeper"]),
            ready=bool(data["ready"]),
            broker_url=data["broker_url"],
            children={name: ProcessId.from_json(child) for name, child in data["children"].items()},
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
