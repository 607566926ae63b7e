"""The shipped detector's network: anchor-free, one stage, three scales (after FCOS, Tian 2019)."""

import math
from typing import Any

from worker.predictors.vendor import paddle

nn: Any = paddle.nn
functional: Any = paddle.nn.functional
Layer: Any = paddle.nn.Layer

STRIDES = (8, 16, 32)
"""Pixels of the input between two places of each scale."""

_WIDTHS = (12, 24, 48, 96, 144)
_NECK = 48
_PRIOR = 0.01  # the score that everything begins with, so that background is no surprise


class Unit(Layer):  # type: ignore[misc]
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2D(inputs, outputs, kernel, stride, kernel // 2, bias_attr=False)
        self.norm = nn.BatchNorm2D(outputs)

    def forward(self, features: Any) -> Any:
        """[B,inputs,H,W] -> [B,outputs,H/stride,W/stride]."""
        return functional.relu(self.norm(self.convolution(features)))


class Residual(Layer):  # type: ignore[misc]
    """Two units, the first of half the width, around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.narrow = Unit(width, width // 2)
        self.widen = Unit(width // 2, width)

    def forward(self, features: Any) -> Any:
        """[B,width,H,W] -> the same shape."""
        return features + self.widen(self.narrow(features))


class Surroundings(Layer):  # type: ignore[misc]
    """What is around each place, as far as 7 places away (SPPF, after He 2015)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.narrow = Unit(width, width // 2, 1)
        self.widen = Unit(2 * width, width, 1)

    def forward(self, features: Any) -> Any:
        """[B,width,H,W] -> the same shape."""
        around = [self.narrow(features)]
        for _ in range(3):
            around.append(functional.max_pool2d(around[-1], 5, stride=1, padding=2))
        return self.widen(paddle.concat(around, 1))


class Detector(Layer):  # type: ignore[misc]
    """Scores and boxes of every place; see `forward`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        stem, second, third, fourth, fifth = _WIDTHS
        self.stem = nn.Sequential(Unit(3, stem, stride=2), Unit(stem, second, stride=2))
        self.stages = nn.LayerList(
            [
                nn.Sequential(Unit(second, third, stride=2), Residual(third), Residual(third)),
                nn.Sequential(Unit(third, fourth, stride=2), Residual(fourth), Residual(fourth)),
                nn.Sequential(Unit(fourth, fifth, stride=2), Residual(fifth), Surroundings(fifth)),
            ]
        )
        self.lateral = nn.LayerList([Unit(width, _NECK, 1) for width in _WIDTHS[2:]])
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
        features = self.stem(image)
        levels = []
        # By number: Paddle's translation of loops into a graph knows no strict `zip`.
        for number in range(len(STRIDES)):
            features = self.stages[number](features)
            levels.append(self.lateral[number](features))
        for finer in (1, 0):
            levels[finer] = levels[finer] + functional.interpolate(
                levels[finer + 1], scale_factor=2, mode="nearest"
            )
        logits, boxes = [], []
        for number in range(len(STRIDES)):
            stride = STRIDES[number]
            smoothed = self.smooth[number](levels[number])
            scores = self.classify(self.class_branch(smoothed))
            distances = paddle.exp(self.regress(self.box_branch(smoothed)).clip(-4, 5)) * stride
            side = image.shape[2] // stride
            x, y = _middles(side, stride)
            left, top, right, bottom = paddle.unstack(distances, 1)
            sides = paddle.stack([x - left, y - top, x + right, y + bottom], -1)
            logits.append(scores.flatten(2).transpose([0, 2, 1]))
            boxes.append(sides.flatten(1, 2))
        return paddle.concat(logits, 1), paddle.concat(boxes, 1)


def _middles(side: int, stride: int) -> tuple[Any, Any]:
    """The x and the y of each place of a scale, [side,side] each, in pixels of the input."""
    along = (paddle.arange(side, dtype="float32") + 0.5) * stride
    return along.unsqueeze(0).expand([side, side]), along.unsqueeze(1).expand([side, side])
