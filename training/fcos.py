"""The shipped detector's network: anchor-free, one stage, three scales (after FCOS, Tian 2019)."""

import math
from typing import Any

from training.layers import Encoder, Layer, Pyramid, Unit, nn
from worker.engines.paddle.vendor import paddle

STRIDES = (8, 16, 32)
"""Pixels of the input between two places of each scale."""

_WIDTHS = (12, 24, 48, 96, 144)
_NECK = 48
_PRIOR = 0.01  # the score that everything begins with, so that background is no surprise


class Detector(Layer):  # type: ignore[misc]
    """Scores and boxes of every place; see `forward`."""

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
        """Normalized RGB [B,3,S,S] -> logits [B,N,classes], boxes [B,N,4] as x1, y1, x2, y2.

        Boxes are in pixels of the input. Places come row by row, the finest scale first.
        """
        levels = self.pyramid(self.encoder(image)[-len(STRIDES) :])
        logits, boxes = [], []
        # By number: Paddle's translation of loops into a graph knows no strict `zip`.
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
    """The x and the y of each place of a scale, [side,side] each, in pixels of the input."""
    along = (paddle.arange(side, dtype="float32") + 0.5) * stride
    return along.unsqueeze(0).expand([side, side]), along.unsqueeze(1).expand([side, side])
