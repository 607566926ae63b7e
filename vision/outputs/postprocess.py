"""Splits a detector's outputs by image and reads them as detections.

Graphs exported by PaddleDetection include decoding and, except for the DETR family, NMS. Their
first output is float (sum N, 6): class, score, x1, y1, x2, y2 in pixels of the source image; the
second says how many rows belong to each image. A DETR has 300 rows for every image. Class -1 stands
for "nothing found" if a graph can't output zero rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, FatalError
from predictions.detections import Detections

_COLUMNS = 6


def split_rows(outputs: Sequence[NDArray[Any]], batch_size: int) -> list[NDArray[np.float32]]:
    """Return the rows (N, 6) of each image of a batch; outputs are told by their position.

    Raises:
        FatalError: These are not the outputs of such a detector; no other batch would fare better.
    """
    if not outputs:
        raise FatalError(f"the model gave no outputs; expected {_EXPECTED}")
    boxes = outputs[0]
    if boxes.shape[1:] != (_COLUMNS,) or boxes.dtype.kind != "f":
        raise FatalError(f"expected {_EXPECTED}; {_described(outputs)}")
    # Some exports have no row counts: all rows then belong to one image.
    counts = outputs[1] if len(outputs) > 1 else np.array([len(boxes)])
    if counts.dtype.kind not in "iu" or counts.ndim != 1:
        raise FatalError(f"expected {_EXPECTED}; {_described(outputs)}")
    if len(counts) != batch_size or (counts < 0).any() or counts.sum() != len(boxes):
        raise FatalError(
            f"expected row counts for {batch_size} images that add up to {len(boxes)} rows; "
            f"the model counted {counts.tolist()}"
        )
    ends = np.cumsum(counts)[:-1]
    return np.split(boxes.astype(np.float32, copy=False), ends)


def read_rows(rows: NDArray[np.float32], *, threshold: float) -> Detections:
    """Return the detections in one image's rows (N, 6): scores above `threshold`, best first.

    As in the official tools, rows need score > threshold and class > -1, and boxes are not clipped
    to the image.

    Raises:
        BadInputError: `model_output_invalid`: as `rows_above`.
    """
    kept = rows[rows_above(rows, threshold)]
    return Detections(
        xyxy=kept[:, 2:6], scores=kept[:, 1], class_ids=kept[:, 0].astype(np.int32)
    ).by_score()


def rows_above(rows: NDArray[np.float32], threshold: float) -> NDArray[np.intp]:
    """Return which of one image's rows (N, 6) are detections with scores above `threshold`.

    Raises:
        BadInputError: `model_output_invalid`: a row holds NaN or infinity. A model that overflows
            gives no answer, and its image must not look empty.
    """
    if not np.isfinite(rows).all():
        broken = int((~np.isfinite(rows)).any(axis=1).sum())
        raise BadInputError(
            "model_output_invalid",
            f"{broken} of the model's {len(rows)} rows for this image hold NaN or infinity",
        )
    return np.flatnonzero((rows[:, 1] > threshold) & (rows[:, 0] > -1))


_EXPECTED = "float boxes (rows, 6) and then integer row counts (images,)"


def _described(outputs: Sequence[NDArray[Any]]) -> str:
    shapes = ", ".join(f"{output.dtype} {output.shape}" for output in outputs)
    return f"the model gave {shapes}"
