"""Run in the readers' environment: prints what Label Studio's SDK has against an export's tasks.

python with_label_studio.py FOLDER...
"""

import json
import sys
from pathlib import Path

from label_studio_sdk.label_interface import LabelInterface


def objections(folder: Path) -> list[str]:
    interface = LabelInterface((folder / "config.xml").read_text("utf-8"))
    found = []
    for task in json.loads((folder / "tasks.json").read_text("utf-8")):
        for prediction in task["predictions"]:
            found += interface.validate_prediction(prediction, return_errors=True)
        if not interface.validate_task({"data": task["data"]}):
            found.append(f"no task: {task['data']}")
    return found


def main() -> None:
    json.dump({folder: objections(Path(folder)) for folder in sys.argv[1:]}, sys.stdout)


if __name__ == "__main__":
    main()
