"""The shipped detector's network, targets and loss: anchor-free, one stage, three scales.

The network follows FCOS (Tian 2019), the targets are RTMDet's dynamic soft labels (Lyu 2022), the
losses quality focal loss for scores and generalized IoU for boxes.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.layers import Encoder, Layer, Pyramid, Unit, nn
from worker.engines.paddle.vendor import paddle

Floats = NDArray[np.float32]

_CANDIDATES = 13
_OVERLAP_WEIGHT = 3.0
_OUTSIDE = 1e6
_NEAR = 0.75
_LEAST_STRIDES, _MOST_STRIDES = 3.0, 10.0
_TINY = 1e-7


@dataclass(frozen=True, slots=True)
class Assignment:
    """The places that predict a thing: their numbers, the things', and the boxes' overlaps."""

    places: NDArray[np.int64]
    things: NDArray[np.int64]
    overlaps: Floats


def all_middles(side: int) -> tuple[Floats, Floats]:
    """Return the middles [N,2] as (x, y) and the strides [N] of all places of a square input."""
    middles, strides = [], []
    for stride in STRIDES:
        along = (np.arange(side // stride, dtype=np.float32) + 0.5) * stride
        y, x = np.meshgrid(along, along, indexing="ij")
        middles.append(np.stack([x.ravel(), y.ravel()], 1))
        strides.append(np.full(x.size, stride, np.float32))
    return np.concatenate(middles), np.concatenate(strides)


def assign(
    scores: Floats,
    boxes: Floats,
    middles: Floats,
    strides: Floats,
    truth: tuple[NDArray[np.int64], Floats],
) -> Assignment:
    """Match predictions (scores [N,classes] after the sigmoid, boxes [N,4]) with the truth.

    `truth` holds the classes [T] and the boxes [T,4]. The cost of a match is the error of the
    score, three times the log of the overlap, and a prior for the middle of the thing.
    """
    classes, sides = truth
    if not len(classes):
        nothing = np.zeros(0, np.int64)
        return Assignment(nothing, nothing, np.zeros(0, np.float32))
    overlap = overlaps(sides, boxes)
    centre = (sides[:, :2] + sides[:, 2:]) / 2
    extent = sides[:, 2:] - sides[:, :2]
    # Small things may lie between places, so a place near their middle will do.
    reach = np.maximum(extent[:, None] / 2, _NEAR * strides[None, :, None])
    inside = (np.abs(middles[None] - centre[:, None]) < reach).all(-1)
    # Otherwise places that see little would learn to predict large things from their middle.
    longest = extent.max(1)[:, None] / strides[None]
    inside &= (longest <= _MOST_STRIDES) | (strides == STRIDES[-1])[None]
    inside &= (longest >= _LEAST_STRIDES) | (strides == STRIDES[0])[None]
    guess = np.clip(scores[:, classes].T, _TINY, 1 - _TINY)
    entropy = -(overlap * np.log(guess) + (1 - overlap) * np.log(1 - guess))
    cost = entropy * np.abs(overlap - guess) ** 2 - _OVERLAP_WEIGHT * np.log(overlap + _TINY)
    distance = np.hypot(*(middles[None] - centre[:, None]).transpose(2, 0, 1)) / strides
    cost += 10.0 ** (distance - 3).clip(max=5) + _OUTSIDE * ~inside
    best = np.sort(overlap * inside, axis=1)[:, -_CANDIDATES:]
    wanted = np.clip(best.sum(1).astype(int), 1, None)
    chosen = np.zeros(cost.shape, bool)
    for thing, count in enumerate(wanted):
        chosen[thing, np.argpartition(cost[thing], count)[:count]] = True
    chosen &= inside
    # A place that several things want gets the cheapest.
    places = np.flatnonzero(chosen.any(0))
    things = np.where(chosen[:, places], cost[:, places], np.inf).argmin(0)
    return Assignment(places, things, overlap[things, places].astype(np.float32))


def overlaps(these: Floats, those: Floats) -> Floats:
    """Return the intersection over union of all pairs of [A,4] and [B,4]: [A,B]."""
    low = np.maximum(these[:, None, :2], those[None, :, :2])
    high = np.minimum(these[:, None, 2:], those[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1) for boxes in (these, those)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None] - shared + _TINY), np.float32)


functional: Any = paddle.nn.functional

Truth = list[tuple[NDArray[np.int64], Floats]]
"""Classes [T] and boxes [T,4] for each picture of a batch."""

_BOX_WEIGHT = 2.0


class DetectionLoss:
    """The loss of a batch of square pictures, `side` pixels wide."""

    def __init__(self, side: int) -> None:
        self._middles, self._strides = all_middles(side)

    def __call__(self, logits: Any, boxes: Any, truth: Truth) -> tuple[Any, Any]:
        """Return the losses of scores and of boxes. `logits` [B,N,classes] and `boxes` [B,N,4]."""
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
    """Return the cross entropy, weighted by the square of the error (Li 2020)."""
    error = functional.sigmoid(logits) - target
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return entropy * (error * error).detach()


def _generalized_iou(boxes: Any, others: Any) -> Any:
    """Return the generalized IoU (Rezatofighi 2019), -1 to 1, of each pair of boxes [N,4]."""
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


STRIDES = (8, 16, 32)
"""Each scale's distance between places, in pixels of the input."""

_WIDTHS = (12, 24, 48, 96, 144)
_NECK = 48
_PRIOR = 0.01  # the initial score of everything, since most of it is background


class Detector(Layer):  # type: ignore[misc]
    """Predicts scores and boxes for every place; see `forward`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.encoder = Encoder(_WIDTHS)
        self.pyramid = Pyramid(_WIDTHS[-len(STRIDES) :], _NECK)
        self.smooth = nn.LayerList([Unit(_NECK, _NECK) for _ in STRIDES])
        self.class_branch = nn.Sequential(Unit(_NECK, _NECK), Unit(_NECK, _NECK))
        self.box_branch = nn.Sequential(Unit(_NECK, _NECK), Unit(_NECK, _NECK))
        bias = paddle.ParamAttr(
            initializer=nn.initializer.Constant(-math.log((1 - _PRIOR) / _PRIOR))
        )
        self.classify = nn.Conv2D(_NECK, classes, 3, padding=1, bias_attr=bias)
        self.regress = nn.Conv2D(_NECK, 4, 3, padding=1)

    def forward(self, image: Any) -> tuple[Any, Any]:
        """Return logits [B,N,classes] and boxes [B,N,4] for normalized RGB [B,3,S,S].

        Boxes are x1, y1, x2, y2 in pixels of the input. Places are ordered row by row, the finest
        scale first.
        """
        levels = self.pyramid(self.encoder(image)[-len(STRIDES) :])
        logits, boxes = [], []
        # By index: Paddle's translation of loops into a graph doesn't know strict `zip`.
        for number in range(len(STRIDES)):
            stride = STRIDES[number]
            level = self.smooth[number](levels[number])
            scores = self.classify(self.class_branch(level))
            distances = paddle.exp(self.regress(self.box_branch(level)).clip(-4, 5))
            side = image.shape[2] // stride
            x, y = _middles(side, stride)
            left, top, right, bottom = paddle.unstack(distances * stride, 1)
            sides = paddle.stack([x - left, y - top, x + right, y + bottom], -1)
            logits.append(scores.flatten(2).transpose([0, 2, 1]))
            boxes.append(sides.flatten(1, 2))
        return paddle.concat(logits, 1), paddle.concat(boxes, 1)


def _middles(side: int, stride: int) -> tuple[Any, Any]:
    """Return the x and y of each place of a scale, [side,side] each, in pixels of the input."""
    along = (paddle.arange(side, dtype="float32") + 0.5) * stride
    return along.unsqueeze(0).expand([side, side]), along.unsqueeze(1).expand([side, side])
