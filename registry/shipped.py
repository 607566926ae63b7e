"""The models that Regatta ships, under names that need not be registered.

What they are is noted beside them, so that naming one opens none of their files:
`python -m registry.shipped` writes it anew.
"""

import json
import sys
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from core.export_facts import ExportFacts
from core.options import ModelRef

EXPORTS = Path(str(files("sample"))).resolve() / "exports"
NOTED = EXPORTS / "composed" / "exports.json"


@cache
def shipped_models() -> Mapping[str, Path]:
    """Return the place of each shipped model by its name: an export, or a composition's file."""
    composed = {place.stem: place for place in sorted(EXPORTS.glob("composed/*.toml"))}
    return composed | {place.name: place for place in shipped_exports()}


@cache
def shipped_exports() -> Mapping[Path, tuple[ModelRef, ExportFacts]]:
    """Return what was noted about each shipped export, by its directory."""
    noted = json.loads(NOTED.read_text(encoding="utf-8"))
    found = {}
    for folder, said in noted.items():
        place = EXPORTS / folder
        ref = ModelRef(said["name"], said["task"], said["digest"], str(place))
        found[place] = ref, ExportFacts.from_json(said["facts"])
    return found


def noted() -> str:
    """Return what is to be noted, from the exports' files."""
    from vision.exports.export import export_digest, read_export  # noqa: PLC0415 - OpenCV
    from vision.exports.facts import facts_of  # noqa: PLC0415

    folders = sorted(place.parent for place in EXPORTS.glob("*/README.md"))
    exports = {folder.name: read_export(folder) for folder in folders}
    said = {
        name: {
            "name": export.name,
            "task": export.task,
            "digest": export_digest(EXPORTS / name),
            "facts": facts_of(export).to_json(),
        }
        for name, export in exports.items()
    }
    return json.dumps(said, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(noted())
