"""Run in the readers' environment: prints the boxes that globox finds in an export, as JSON.

python with_globox.py coco|cvat|voc PATH
python with_globox.py results PATH LABELS IMAGES   # JSON: names by number
python with_globox.py yolo FOLDER SIZES            # JSON: width and height by file
"""

import json
import sys
from pathlib import Path

from globox import Annotation, AnnotationSet


def named(text: str) -> dict[int, str]:
    return {int(number): name for number, name in json.loads(text).items()}


def read(form: str, path: Path, *more: str) -> list[Annotation]:
    if form == "coco":
        return list(AnnotationSet.from_coco(path))
    if form == "results":
        labels, images = map(named, more)
        found = AnnotationSet.from_coco_results(path, id_to_label=labels, id_to_imageid=images)
        return list(found)
    if form == "cvat":
        return list(AnnotationSet.from_cvat(path))
    if form == "voc":
        return [Annotation.from_pascal_voc(file) for file in sorted(path.rglob("*.xml"))]
    sizes = json.loads(more[0])
    return [
        Annotation.from_yolo_v5(path / name, image_size=tuple(size), image_id=name)
        for name, size in sizes.items()
    ]


def main() -> None:
    found = [
        {
            "image": one.image_id,
            "size": one.image_size,
            "boxes": [[box.label, *box.ltrb, box.confidence] for box in one.boxes],
        }
        for one in read(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
    ]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
