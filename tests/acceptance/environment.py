"""What the processes of these tests are told: everything happens soon, and nothing is inherited."""

import os
from pathlib import Path

_SETTINGS = {
    "LEASE_SECONDS": "15",
    "HEARTBEAT_SECONDS": "0.5",
    "REPUBLISH_SECONDS": "1",
    "DRAIN_SECONDS": "1",
    "STALL_SECONDS": "60",
    "PREDICTORS": "1",
    "DECODE_THREADS": "1",
    "LOG_FORMAT": "console",
    "ENGINES": "standin",
}

SHORT_LEASES = {"LEASE_SECONDS": "3"}
"""For tests in which one runs out. Elsewhere a busy machine must not cost anybody a lease."""


def environment(**settings: str) -> dict[str, str]:
    """A child's environment: `settings` are Regatta's, without prefix, or the stand-in's own."""
    # Bytecode makes a process start three times as fast, and these tests start many.
    unwanted = ("REGATTA_", "STANDIN_", "PYTHONDONTWRITEBYTECODE")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
    told = {_name(name): value for name, value in (_SETTINGS | settings).items()}
    return {**inherited, "PYTHONPATH": str(Path(__file__).parent), **told}


def _name(setting: str) -> str:
    return setting if setting.startswith("STANDIN_") else f"REGATTA_{setting}"
