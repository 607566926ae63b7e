"""Which operators oneDNN gets wrong in Paddle 3.2.2, as programs of a single operator showed.

| operator | fault | new IR | old IR |
| --- | --- | --- | --- |
| bilinear, align_corners or align_mode 1 | the attribute is ignored | wrong | right |
| bilinear, down to 1 along an axis | takes the middle, Paddle the first | wrong | right |
| bilinear, of 1 x 1 (*) | reads and writes beyond its memory | wrong | right |
| nearest, by no whole number | takes other neighbours | wrong | wrong |
| nearest, of 1 x 1 (*) | reads and writes beyond its memory | wrong | wrong |
| divide, the first operand being smaller | divides the second by the first | wrong | wrong |
| pad (not pad3d) | reads and writes beyond its memory | wrong | wrong |
| average pooling, ceil_mode, not exclusive | counts what is beyond the border | wrong | wrong |
| pooling, ceil_mode, windows beyond the border | refuses to run | refuses | refuses |
| add, subtract, multiply, divide by a scalar of no axes | refuses to run | right | refuses |
| softplus | the threshold is ignored | wrong | wrong |

(*) Unless oneDNN left the input in its own layout, as after a convolution; the graph doesn't say
which layout a value will have.

Right, or left to Paddle's own kernels: bicubic, trilinear, linear and area; bilinear with
half-pixel centres; nearest by whole factors. A predictor and its clones behave alike, and so do all
batch sizes. Paddle 1's interpolations were not tried and count as doubtful.
"""

import math
from collections.abc import Callable, Iterable
from itertools import zip_longest

from worker.engines.paddle.graph import Operator, Shape

TINY = "a picture of a few pixels"
"""The reason for a doubt that only pictures of a few pixels raise."""

_SMALL_ERROR = 1e-6


def doubted(operators: Iterable[Operator], *, new_ir: bool) -> list[tuple[Operator, str]]:
    """Return the operators that oneDNN may compute wrongly, each with a reason.

    A size known only at run time counts as the worst it can be; if only a picture of a few pixels
    can make it that bad, the reason is `TINY`.
    """
    found = ((each, _reason(each, new_ir=new_ir)) for each in operators)
    return [(each, reason) for each, reason in found if reason]


_ELEMENTWISE = {f"elementwise_{each}" for each in ("add", "sub", "mul", "div", "max", "min")}


def _reason(operator: Operator, *, new_ir: bool) -> str | None:
    if operator.kind == "bilinear_interp" and not new_ir:
        return None  # Paddle's own kernel is taken
    if operator.type in _ELEMENTWISE and () in operator.inputs:  # names of the old IR only
        return "arithmetic with a scalar"
    doubt = _DOUBTS.get(operator.kind)
    return doubt(operator) if doubt else None


def _nearest(operator: Operator) -> str | None:
    if operator.attributes.get("align_corners"):
        return "nearest, align_corners"
    source, target = _sides(operator, operator.inputs[0]), _sides(operator, operator.output)
    if _is_one_pixel(source):
        return "nearest, of 1 x 1"
    factors = _factors(operator)
    known = target and source and min(*source, *target) > 0
    by_factors = factors and all(factor >= 1 and factor == int(factor) for factor in factors)
    if not by_factors and not (
        known and all(after % before == 0 for before, after in zip(source, target, strict=True))
    ):
        return "nearest, by no whole number"
    return TINY if _may_be_one_pixel(source) else None


def _bilinear(operator: Operator) -> str | None:
    if operator.attributes.get("align_corners"):
        return "bilinear, align_corners"
    if operator.attributes.get("align_mode"):
        return "bilinear, align_mode 1"
    source, target = _sides(operator, operator.inputs[0]), _sides(operator, operator.output)
    if _is_one_pixel(source):
        return "bilinear, of 1 x 1"
    # An enlarged map has a single row or column only if it had one before.
    enlarged = [factor >= 1 for factor in _factors(operator)] or [False] * len(target)
    sides = zip_longest(source, target, enlarged, fillvalue=-1)
    lessened = [after for before, after, larger in sides if before != 1 and larger is not True]
    if 1 in lessened:
        return "bilinear, down to 1"
    return TINY if -1 in lessened or not target or _may_be_one_pixel(source) else None


def _sides(operator: Operator, shape: Shape | None) -> Shape:
    """Return the spatial sides of a batch of pictures or volumes; empty if nothing is known."""
    last = operator.attributes.get("data_format") in {"NHWC", "NDHWC"}
    return () if shape is None else shape[1:-1] if last else shape[2:]


def _is_one_pixel(sides: Shape) -> bool:
    """Return whether it certainly is a single pixel, or nothing is known about it."""
    return all(side == 1 for side in sides)


def _may_be_one_pixel(sides: Shape) -> bool:
    return all(side in {1, -1} for side in sides)


def _factors(operator: Operator) -> list[float]:
    """Return the factor by which each side is enlarged; empty if something else decides."""
    scale = operator.attributes.get("scale") or []
    return [] if len(operator.inputs) > 1 else list(scale)


def _legacy(operator: Operator) -> str:
    return f"{operator.kind}, as of Paddle 1"


def _divide(operator: Operator) -> str | None:
    first, second = operator.inputs[:2]
    reason = "division of the smaller by the larger"
    if first is None or second is None or len(first) < len(second):
        return reason
    if len(first) > len(second) and operator.attributes.get("axis", -1) != -1:
        return reason
    # Two sides of unknown length are taken as equal: comparing outputs would show if they are not.
    pairs = zip(reversed(first), reversed(second), strict=False)
    if all(b in {1, a} or (a > 1 and b == -1) for a, b in pairs):
        return None
    return reason


def _pad(_operator: Operator) -> str:
    return "pad"


def _pool(operator: Operator) -> str | None:
    asked = operator.attributes
    if not asked.get("ceil_mode") or asked.get("adaptive") or asked.get("global_pooling"):
        return None
    padded = any(asked.get("paddings") or ()) or asked.get("padding_algorithm") == "SAME"
    if asked.get("pooling_type") == "avg" and (padded or not asked.get("exclusive")):
        return "average pooling, ceil_mode"
    kernel, strides = asked.get("kernel_size"), asked.get("strides")
    if not kernel or not strides or any(k < s for k, s in zip(kernel, strides, strict=False)):
        return "pooling, ceil_mode"
    return None


def _softplus(operator: Operator) -> str | None:
    threshold, beta = operator.attributes.get("threshold"), operator.attributes.get("beta")
    if threshold and beta and math.exp(-threshold) / beta < _SMALL_ERROR:
        return None
    return "softplus, threshold"


_DOUBTS: dict[str, Callable[[Operator], str | None]] = {
    "nearest_interp": _nearest,
    "bilinear_interp": _bilinear,
    "legacy_nearest_interp": _legacy,
    "legacy_bilinear_interp": _legacy,
    "divide": _divide,
    "pad": _pad,
    "pool2d": _pool,
    "softplus": _softplus,
}
