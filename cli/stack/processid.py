"""Tells a process from a later one with the same number."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_START_FIELD = 19  # of /proc/<pid>/stat behind the command's name; see proc(5), starttime
_STATE_FIELD = 0


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process by its number, the tick at which it started, and the boot that counts the ticks."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """Return the identity of the process that has this number now, or None."""
        fields = _stat(pid)
        return None if fields is None else cls(pid, int(fields[_START_FIELD]), _boot())

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ProcessId":
        """Read what `to_json` wrote."""
        return cls(int(data["pid"]), int(data["started"]), str(data["boot"]))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"pid": self.pid, "started": self.started, "boot": self.boot}

    @property
    def lives(self) -> bool:
        """Return whether this very process is still running."""
        fields = _stat(self.pid)
        return (
            fields is not None
            and fields[_STATE_FIELD] not in "ZX"
            and int(fields[_START_FIELD]) == self.started
            and _boot() == self.boot
        )

    def end(self, patience: float) -> None:
        """Ask it to end, wait at most `patience` seconds, then kill it."""
        for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
            until = time.monotonic() + seconds
            if self.lives:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, number)
            while self.lives and time.monotonic() < until:
                time.sleep(0.02)


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def _boot() -> str:
    return _BOOT.read_text(encoding="ascii").strip()
