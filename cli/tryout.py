"""Runs an exported model once, in a process of its own, before anything relies on it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from cli.stack.environment import environment, python_module
from config.settings import Settings
from core.errors import UsageError

_SECONDS = 600.0
_SKIP = "--no-check registers it untried"


def try_model(settings: Settings, directory: Path) -> dict[str, Any]:
    """Return the result of running a model once, see `worker.smoke`.

    It runs in a process of its own: a network can crash its process, and Paddle takes seconds to
    import.

    Raises:
        UsageError: the network cannot be run here; the message says why.
    """
    try:
        result = subprocess.run(
            python_module("worker.smoke", str(directory)),
            env=environment(settings),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        answer: dict[str, Any] = json.loads(result.stdout.strip().rpartition("\n")[2])
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"the model in {directory} did not answer within {_SECONDS:.0f} seconds", hint=_SKIP
        ) from None
    except ValueError:
        last = result.stderr.strip().rpartition("\n")[2] or "it says nothing"
        raise UsageError(
            f"running the model in {directory} ended its process with {result.returncode}: {last}",
            hint=f"`regatta doctor` checks Paddle; {_SKIP}",
        ) from None
    if "error" in answer:
        raise UsageError(
            f"the model in {directory} cannot be run here: {answer['error']}",
            hint="; ".join(filter(None, [answer["hint"], _SKIP])),
        )
    return answer
