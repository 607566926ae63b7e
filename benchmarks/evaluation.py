"""Measures `regatta eval` of a large detection job: seconds of CPU and memory, by stage.

    python -m benchmarks.evaluation [--images 100000] [--boxes 10] [--pycocotools]

Truth is a COCO file with so many boxes a picture of 20 classes, results are parts on disk in which
each box lies a little off. Each side runs in a process of its own, so that its memory is its own.
With `--pycocotools`, COCO's own tool measures the same (minutes), and its AP has to be equal.
"""

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.figures import Figure, options, report
from core.items import ItemRef
from core.states import ItemState
from evaluation.answers import read_answers
from evaluation.evaluate import Question, evaluate
from evaluation.truth import Wanted
from evaluation.truths.coco import read_coco
from predictions.detections import Detections
from store.parts import ResultRow, encode_rows, read_table
from store.view import VIEW_SCHEMA

_LABELS = tuple(f"class {n}" for n in range(20))
_PART = 1_000


def write(folder: Path, images: int, boxes: int) -> None:
    """Write the truth, and the results as parts and in COCO's format."""
    rng = np.random.default_rng(0)
    truth: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    rows: list[ResultRow] = []
    for n in range(images):
        wh = rng.uniform(5, 200, (boxes, 2))
        xy = rng.uniform(0, 440, (boxes, 2))
        labels = rng.integers(0, len(_LABELS), boxes)
        true = np.hstack([xy, wh]).round(2)
        truth += [
            {
                "id": len(truth) + place + 1,
                "image_id": n + 1,
                "category_id": int(labels[place]) + 1,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
                "segmentation": [],
            }
            for place, box in enumerate(true.tolist())
        ]
        near = true + rng.normal(0, 6, true.shape)
        xyxy = np.hstack([near[:, :2], near[:, :2] + np.maximum(near[:, 2:], 1)]).astype("f4")
        scores = np.sort(rng.uniform(0.05, 1, boxes)).astype("f4")[::-1]
        found = Detections(xyxy, scores, labels, _LABELS)
        item = ItemRef(n, f"d/{n:06d}.jpg", size=9)
        rows.append(ResultRow(item, "detect", "m", ItemState.SUCCEEDED, 640, 640, detections=found))
        wide = found.xyxy.astype("f8")
        results += [
            {"image_id": n + 1, "category_id": int(label) + 1, "bbox": box, "score": float(score)}
            for label, box, score in zip(
                labels,
                np.hstack([wide[:, :2], wide[:, 2:] - wide[:, :2]]).tolist(),
                scores,
                strict=True,
            )
        ]
        if len(rows) == _PART or n == images - 1:
            (folder / f"part-{n:06d}.parquet").write_bytes(encode_rows(rows))
            rows = []
    pictures = [
        {"id": n + 1, "file_name": f"d/{n:06d}.jpg", "width": 640, "height": 640}
        for n in range(images)
    ]
    classes = [{"id": n, "name": name} for n, name in enumerate(_LABELS, 1)]
    data = {"images": pictures, "annotations": truth, "categories": classes}
    (folder / "truth.json").write_text(json.dumps(data))
    (folder / "results.json").write_text(json.dumps(results))


def tables(folder: Path) -> Iterator[pa.Table]:
    for part in sorted(folder.glob("part-*.parquet")):
        table = read_table(part)
        own = [pa.repeat(pa.scalar(text), len(table)) for text in ("job", "/out")]
        yield pa.table([*own, table["item"], *table.columns], schema=VIEW_SCHEMA)


def spent() -> tuple[float, float]:
    """Return this process's CPU seconds and MB at most."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.process_time(), used.ru_maxrss / 1024


def ours(folder: str) -> dict[str, float]:
    begun, base = spent()
    answers = read_answers(tables(Path(folder)), None)
    read, _ = spent()
    truth = read_coco(f"{folder}/truth.json", Wanted())
    parsed, parsed_mb = spent()
    found = evaluate(answers, truth, Question(), job="j", name="n")
    done, most = spent()
    return {
        "results": read - begun,
        "truth": parsed - read,
        "measures": done - parsed,
        "all": done - begun,
        "base_mb": base,
        "truth_mb": parsed_mb,
        "mb": most,
        "ap": found.main.value or 0.0,
    }


def theirs(folder: str) -> dict[str, float]:
    from pycocotools.coco import COCO  # noqa: PLC0415 - our side must not pay for it
    from pycocotools.cocoeval import COCOeval  # noqa: PLC0415

    begun, _ = spent()
    data = COCO(f"{folder}/truth.json")
    run = COCOeval(data, data.loadRes(f"{folder}/results.json"), "bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()
    done, most = spent()
    return {"all": done - begun, "mb": most, "ap": float(run.stats[0])}


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--boxes", type=int, default=10)
    parser.add_argument("--pycocotools", action="store_true")
    told = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        # A process inherits the memory that its parent once had, so the parent never has much.
        with context.Pool(1) as pool:
            pool.apply(write, (Path(folder), told.images, told.boxes))
        with context.Pool(1) as pool:
            mine = pool.apply(ours, (folder,))
        figures = [
            Figure("read results", mine["results"], "CPU s"),
            Figure("read truth", mine["truth"], "CPU s"),
            Figure("measure", mine["measures"], "CPU s"),
            Figure("all", mine["all"], "CPU s"),
            Figure("memory after the truth", mine["truth_mb"], "MB"),
            Figure("memory", mine["mb"], "MB", 2_000, is_limit=True),
        ]
        if told.pycocotools:
            with context.Pool(1) as pool:
                other = pool.apply(theirs, (folder,))
            same = abs(other["ap"] - mine["ap"]) < 1e-9
            figures += [
                Figure("pycocotools: all", other["all"], "CPU s"),
                Figure("pycocotools: memory", other["mb"], "MB"),
                Figure("pycocotools: time of it that ours takes", mine["all"] / other["all"], ""),
                Figure("AP differs by", abs(other["ap"] - mine["ap"]), ""),
            ]
            if not same:
                sys.exit(f"AP is {mine['ap']}, with pycocotools {other['ap']}")
    report("evaluation", figures, {"images": told.images, "boxes": told.boxes}, told.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
