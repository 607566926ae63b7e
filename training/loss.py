"""How wrong the detector is: quality focal loss for scores, generalized IoU for boxes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.assign import Floats, all_middles, assign
from worker.engines.paddle.vendor import paddle

functional: Any = paddle.nn.functional

Truth = list[tuple[NDArray[np.int64], Floats]]
"""For each picture of a batch, classes [T] and boxes [T,4]."""

_BOX_WEIGHT = 2.0


class DetectionLoss:
    """The loss of a batch of square pictures, `side` pixels wide."""

    def __init__(self, side: int) -> None:
        self._middles, self._strides = all_middles(side)

    def __call__(self, logits: Any, boxes: Any, truth: Truth) -> tuple[Any, Any]:
        """The losses of scores and of boxes. `logits` [B,N,classes] and `boxes` [B,N,4]."""
        scores = functional.sigmoid(logits).numpy()
        sides = boxes.numpy()
        target = np.zeros(scores.shape, np.float32)
        rows, wanted, weights = [], [], []
        for number, (classes, things) in enumerate(truth):
            matched = assign(
                scores[number], sides[number], self._middles, self._strides, (classes, things)
            )
            target[number, matched.places, classes[matched.things]] = matched.overlaps
            rows.append(matched.places + number * scores.shape[1])
            wanted.append(things[matched.things])
            weights.append(matched.overlaps)
        weight = np.concatenate(weights)
        total = max(1.0, float(weight.sum()))
        score_loss = _quality_focal(logits, paddle.to_tensor(target)).sum() / total
        chosen = paddle.gather(boxes.reshape([-1, 4]), paddle.to_tensor(np.concatenate(rows)))
        missed = 1 - _generalized_iou(chosen, paddle.to_tensor(np.concatenate(wanted)))
        box_loss = (missed * paddle.to_tensor(weight)).sum() / total
        return score_loss, _BOX_WEIGHT * box_loss


def _quality_focal(logits: Any, target: Any) -> Any:
    """Cross entropy, weighted by the square of the error (Li 2020)."""
    error = functional.sigmoid(logits) - target
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return entropy * (error * error).detach()


def _generalized_iou(boxes: Any, others: Any) -> Any:
    """Of each pair of boxes [N,4] (Rezatofighi 2019), -1 to 1."""
    low = paddle.maximum(boxes[:, :2], others[:, :2])
    high = paddle.minimum(boxes[:, 2:], others[:, 2:])
    shared = (high - low).clip(min=0).prod(-1)
    areas = [(both[:, 2:] - both[:, :2]).prod(-1) for both in (boxes, others)]
    union = areas[0] + areas[1] - shared
    around = paddle.maximum(boxes[:, 2:], others[:, 2:]) - paddle.minimum(
        boxes[:, :2], others[:, :2]
    )
    hull = around.prod(-1)
    return shared / union - (hull - union) / hull
