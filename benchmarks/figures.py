"""Measures and reports figures of runs: CPU seconds, tables for people, JSON for programs."""

import json
import logging
import os
import platform
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and of its children that it has waited for."""
    fields = _fields(pid)
    return sum(int(field) for field in fields[11:15]) / _TICKS


def family_cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and of all its descendants, ended or alive."""
    return cpu_seconds(pid) + sum(family_cpu_seconds(child) for child in children(pid))


def children(pid: int) -> list[int]:
    """Return the living children of a process."""
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in listed for child in path.read_text(encoding="ascii").split()]


def parent(pid: int) -> int:
    """Return the parent of a process."""
    return int(_fields(pid)[1])


def _fields(pid: int) -> list[str]:
    # The name before the last parenthesis may hold spaces.
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return text.rpartition(")")[2].split()


def rows(path: Path) -> Iterator[str]:
    """Yield a table row for each figure in a file, the first of which names the benchmark."""
    written = json.loads(path.read_text(encoding="utf-8"))
    how = ", ".join(
        f"{key.replace('_', ' ')} {value}"
        for key, value in written["how"].items()
        if key not in {"cores", "python"}
    )
    name = f"**{written['benchmark']}** ({how})"
    for figure in written["figures"]:
        verdict = {None: "", True: ", met", False: ", **not met**"}[figure["met"]]
        goal = f"{figure['goal']}{verdict}" if figure["goal"] else ""
        value = f"{_rounded(figure['value'])} {figure['unit']}".strip()
        yield f"| {name} | {figure['name'].strip()} | {value} | {goal} |"
        name = ""


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.3g}"


def main(paths: list[str]) -> int:
    print("| benchmark | figure | value | goal |\n| --- | --- | --- | --- |")
    for path in paths:
        for row in rows(Path(path)):
            print(row)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value; `goal` is its upper bound if `is_limit`, else its lower one."""

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
    """Print figures and write them to `path`; `how` says what was measured and how."""
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
    """Return a parser with the options of every benchmark; `description` is its docstring."""
    parser = ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser


def quiet() -> None:
    """Have this process log only warnings: stdout is for figures."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def _machine() -> dict[str, Any]:
    return {"cores": len(os.sched_getaffinity(0)), "python": platform.python_version()}
