"""How good the shipped segmentation model is: intersection over union, by pixels of sources."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from sample.labels import SEGMENTS
from sample.score import class_ious, confusion
from training.held_out import held_out, results
from training.measured import Measured


def measure_segments(model: Path, scenes: int, folder: Path) -> Measured:
    """Run an exported model over held-out scenes, drawn into `folder`, and compare its masks."""
    dataset = held_out(scenes, folder)
    counts = np.zeros((len(SEGMENTS), len(SEGMENTS)), np.int64)
    for row in results(dataset, model, folder):
        truth = cv2.imread(str(dataset.segments / f"{row['item']}.png"), cv2.IMREAD_GRAYSCALE)
        with Image.open(folder / "out" / row["mask"]) as mask:
            counts += confusion(np.asarray(truth, np.uint8), np.asarray(mask), len(SEGMENTS))
    ious = class_ious(counts)
    right = float(counts.diagonal().sum() / counts.sum())
    return Measured(
        scenes,
        {"mIoU": float(ious.mean()), "pixels right": right},
        "IoU",
        dict(zip(SEGMENTS, ious.tolist(), strict=True)),
    )
