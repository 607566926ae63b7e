"""What a keeper says about its stack, so that commands and the next keeper know."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from cli.stack.processid import ProcessId


@dataclass(frozen=True, slots=True)
class StackState:
    """The keeper, whether its stack can be used, where its broker is, and what runs in it."""

    keeper: ProcessId
    ready: bool
    broker_url: str | None
    children: dict[str, ProcessId] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Replace the file at once: readers see all of the old or all of the new."""
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
    """Return what the last keeper wrote; None if there was none, or nobody can read it."""
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
