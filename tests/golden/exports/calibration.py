"""Random weights whose answers differ from place to place, as trained ones' do.

One pass over photos sets every batch normalization's statistics to those of what it is given, so
that no signal dies or explodes on its way, and scales the heads. See `recipes`. It takes several:
with the statistics of one, or of a drawn picture, others grow with every layer, and saturate the
last.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import paddle
from recipes import Recipe, Spread

SEED = 11


def pictures(photos: Path, recipe: Recipe) -> Any:
    """Photos of a folder as the recipe's network is shown them, [N, 3, height, width]."""
    mean, deviation = recipe.scale
    batch = []
    for path in sorted(photos.glob("*.jpg"))[: recipe.photos]:
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        resized = cv2.resize(image, recipe.size[::-1])
        batch.append((resized / 255 - np.array(mean)) / np.array(deviation))
    return paddle.to_tensor(np.stack(batch).transpose(0, 3, 1, 2).astype(np.float32))


def calibrate(
    model: Any, forward: Callable[[], object], heads: Mapping[str, Spread]
) -> dict[str, int]:
    """Run the model once; return how many layers each pattern of a head named."""
    named = dict.fromkeys(heads, 0)
    hooks = []
    for path, layer in model.named_sublayers():
        if hasattr(layer, "_variance") and hasattr(layer, "_mean"):
            hooks.append(layer.register_forward_pre_hook(_to_its_input))
        for pattern, spread in heads.items():
            if re.fullmatch(pattern, path):
                named[pattern] += 1
                hooks.append(layer.register_forward_post_hook(_to_spread(spread)))
    model.eval()
    with paddle.no_grad():
        forward()
    for hook in hooks:
        hook.remove()
    missing = [pattern for pattern, layers in named.items() if not layers]
    assert not missing, f"no layer is called {missing}"
    return named


def _to_its_input(layer: Any, inputs: tuple[Any, ...]) -> None:
    image = inputs[0]
    axes = [axis for axis in range(image.ndim) if axis != 1]
    variance = image.var(axes)
    # A channel that is nearly dead in these photos must not deafen the others where it isn't.
    least = paddle.full_like(variance, float(variance.mean()) / 4 + 1e-5)
    layer._mean.set_value(image.mean(axes))
    layer._variance.set_value(paddle.maximum(variance, least))


def _to_spread(spread: Spread) -> Callable[[Any, Any, Any], Any]:
    """A hook that scales a layer at its first call, and gives it another bias for each channel."""
    mean, deviation = spread
    seen: list[Any] = []

    def scale(layer: Any, inputs: Any, output: Any) -> Any:
        if seen:
            return None
        seen.append(layer)
        random = np.random.default_rng(SEED)
        # Some heads begin with zeros, whose answers no factor tells apart.
        weight = random.normal(0, 0.05, layer.weight.shape).astype(np.float32)
        layer.weight.set_value(weight)
        if layer.bias is not None:
            layer.bias.set_value(paddle.zeros_like(layer.bias))
        output = layer.forward(*inputs)
        channels = 1 if output.ndim == 4 else output.ndim - 1
        axes = [axis for axis in range(output.ndim) if axis != channels]
        centre = output.mean(axes)
        factor = deviation / float((output - output.mean(axes, keepdim=True)).std())
        layer.weight.set_value(layer.weight * factor)
        if layer.bias is not None:
            layer.bias.set_value(mean - centre * factor)
        return layer.forward(*inputs)

    return scale
