"""The building blocks of the shipped models' networks."""

from collections.abc import Sequence
from typing import Any

from worker.engines.paddle.vendor import paddle

nn: Any = paddle.nn
functional: Any = paddle.nn.functional
Layer: Any = paddle.nn.Layer


class Unit(Layer):  # type: ignore[misc]
    """Convolution, batch norm, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int | tuple[int, int] = 1
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2D(inputs, outputs, kernel, stride, kernel // 2, bias_attr=False)
        self.norm = nn.BatchNorm2D(outputs)

    def forward(self, features: Any) -> Any:
        """Map [B,inputs,H,W] to [B,outputs,H/stride,W/stride]."""
        return functional.relu(self.norm(self.convolution(features)))


class Residual(Layer):  # type: ignore[misc]
    """Two units with a shortcut, the first of half the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.narrow = Unit(width, width // 2)
        self.widen = Unit(width // 2, width)

    def forward(self, features: Any) -> Any:
        """Map [B,width,H,W] to the same shape."""
        return features + self.widen(self.narrow(features))


class Surroundings(Layer):  # type: ignore[misc]
    """Adds what is around each place, up to 7 places away (SPPF, after He 2015)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.narrow = Unit(width, width // 2, 1)
        self.widen = Unit(2 * width, width, 1)

    def forward(self, features: Any) -> Any:
        """Map [B,width,H,W] to the same shape."""
        around = [self.narrow(features)]
        for _ in range(3):
            around.append(functional.max_pool2d(around[-1], 5, stride=1, padding=2))
        return self.widen(paddle.concat(around, 1))


class Encoder(Layer):  # type: ignore[misc]
    """Features at strides of 2, 4, 8, ...: one scale for each of `widths`, its channels."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        stem, second, *deeper = widths
        self.stem = nn.LayerList([Unit(3, stem, stride=2), Unit(stem, second, stride=2)])
        stages = []
        for number, width in enumerate(deeper, 2):
            down = Unit(widths[number - 1], width, stride=2)
            last = Surroundings if number == len(widths) - 1 else Residual
            stages.append(nn.Sequential(down, Residual(width), last(width)))
        self.stages = nn.LayerList(stages)

    def forward(self, image: Any) -> Any:
        """Map [B,3,H,W] to a list of [B,width,H/stride,W/stride], the finest first."""
        scales = []
        features = image
        for stage in [*self.stem, *self.stages]:
            features = stage(features)
            scales.append(features)
        return scales


class Pyramid(Layer):  # type: ignore[misc]
    """Passes features from coarse scales to finer ones (after Lin 2017), all `width` channels."""

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.LayerList([Unit(inputs, width, 1) for inputs in widths])

    def forward(self, scales: Any) -> Any:
        """Map the encoder's scales, finest first, to as many [B,width,H/stride,W/stride]."""
        # By index: Paddle's translation of loops into a graph doesn't know strict `zip`.
        levels = [self.lateral[number](scales[number]) for number in range(len(self.lateral))]
        for finer in range(len(levels) - 2, -1, -1):
            levels[finer] = levels[finer] + functional.interpolate(
                levels[finer + 1], scale_factor=2, mode="nearest"
            )
        return levels


class PerPixel(Layer):  # type: ignore[misc]
    """Scores places at a stride of 2, from an encoder's scales joined by a pyramid."""

    def __init__(self, widths: Sequence[int], neck: int, fine: int, outputs: int) -> None:
        super().__init__()
        self.encoder = Encoder(widths)
        self.pyramid = Pyramid(widths[1:], neck)
        self.coarse = Unit(neck, fine)
        self.fine = Unit(widths[0], fine)
        self.classify = nn.Conv2D(fine, outputs, 1)

    def forward(self, image: Any) -> Any:
        """Map [B,3,H,W] to logits [B,outputs,H/2,W/2]."""
        scales = self.encoder(image)
        coarse = self.coarse(self.pyramid(scales[1:])[0])
        coarse = functional.interpolate(coarse, scale_factor=2, mode="nearest")
        return self.classify(coarse + self.fine(scales[0]))
