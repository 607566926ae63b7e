"""The environment of child processes: they get every setting from it, and read no file again."""

import os
import sys
from pathlib import Path

from config.settings import Settings

_RUN_MODULE = str(Path(__file__).with_name("run_module.py"))


def environment(settings: Settings, **changes: str) -> dict[str, str]:
    """Return this process's environment with the settings in it; `changes` come before them."""
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    told = {name: str(value) for name, value in (values | changes).items() if value is not None}
    ours = {f"REGATTA_{name.upper()}": value for name, value in told.items()}
    return {**os.environ, **ours}


def python_module(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs a module of ours, whatever else is on the path."""
    return [sys.executable, "-P", _RUN_MODULE, module, *arguments]
