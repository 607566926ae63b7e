"""The page beside a shipped model: what it is for, how it was made, how good it is."""

from training.evaluate import HELD_OUT_SEEDS, Measured


def card(name: str, side: int, measured: Measured, training: str) -> str:
    """The README of the shipped detector, whose input is `side` pixels square."""
    rows = "\n".join(f"| {label} | {ap:.3f} |" for label, ap in measured.class_ap50.items())
    return f"""\
# {name}

Finds {", ".join(measured.class_ap50)} in Regatta's sample scenes: the model of `regatta demo` and
of tests. It knows drawn regattas only, and is of no use on photographs.

| | |
| --- | --- |
| task | detection, {len(measured.class_ap50)} classes |
| architecture | like FCOS: one stage, no anchors, strides 8, 16, 32; multi-class NMS in the graph |
| format | as PaddleDetection exports: `infer_cfg.yml`, `model.json`, `model.pdiparams` |
| loads with | paddlepaddle 3.0 to 3.2 |
| inputs | `image` [B,3,{side},{side}] normalized RGB, `scale_factor` [B,2] as y, x |
| outputs | [N,6] of class, score, x1, y1, x2, y2 in source pixels; [B] rows per picture |
| weights | trained from scratch by `make models`, seeded: {training} |
| licence | Apache-2.0, as the rest of Regatta |

## How good it is

On {measured.scenes} scenes that it never saw (seeds from {HELD_OUT_SEEDS:,} on, in all sizes and
formats of the demo), run by `regatta run` and compared with the truth by COCO's own code:

**AP50 {measured.ap50:.3f}, AP {measured.ap:.3f}** (overlaps of 0.5 to 0.95).

| class | AP50 |
| --- | --- |
{rows}

`python -m training.evaluate` measures it again.
"""
