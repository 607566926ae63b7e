"""Figures that benchmarks wrote as JSON, as a table for a page.

python -m benchmarks.table benchmarks/results/*.json
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path


def rows(path: Path) -> Iterator[str]:
    """One row for each figure of a file, the benchmark named in the first."""
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
