"""What a benchmark found, beside what was hoped for: printed, and kept as JSON."""

import json
import logging
import os
import platform
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `goal` is its upper bound if `is_limit`, else its lower one."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    is_limit: bool = False

    @property
    def is_met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value <= self.goal if self.is_limit else self.value >= self.goal

    @property
    def wanted(self) -> str:
        if self.goal is None:
            return ""
        return f"{'at most' if self.is_limit else 'at least'} {self.goal:,g}"


def report(
    name: str, figures: Sequence[Figure], how: Mapping[str, Any], path: Path | None = None
) -> None:
    """Print figures and write them to `path`; `how` says what was measured, and with what."""
    print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in how.items()))
    for figure in figures:
        verdict = {None: "", True: "met", False: "NOT MET"}[figure.is_met]
        value = f"{figure.value:14,.3f} {figure.unit:10}"
        print(f"  {figure.name:40}{value}{figure.wanted:>18}  {verdict}".rstrip())
    if path is not None:
        written = {
            "benchmark": name,
            "how": {**how, **_machine()},
            "figures": [
                {
                    "name": figure.name,
                    "value": round(figure.value, 4),
                    "unit": figure.unit,
                    "goal": figure.wanted or None,
                    "met": figure.is_met,
                }
                for figure in figures
            ],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")


def options(description: str | None) -> ArgumentParser:
    """A parser with the option that every benchmark has; `description` is its docstring."""
    parser = ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser


def quiet() -> None:
    """Let this process log only what went wrong: stdout is for figures."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def _machine() -> dict[str, Any]:
    return {"cores": len(os.sched_getaffinity(0)), "python": platform.python_version()}
