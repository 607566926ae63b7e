"""Draws answers by task: the same pixels from a fresh answer as from one read from results."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from core.errors import BadInputError
from core.options import GREEN, DrawOptions
from core.tasks import CLASSIFY, DETECT, KEYPOINT, MATTING, OCR, PANOPTIC, SEGMENT
from predictions.answer import Answer
from vision.draw.caption import draw_classes
from vision.draw.detections import draw_detections
from vision.draw.drawer import Drawer, MaskFile, Pixels
from vision.draw.look import Look
from vision.draw.matting import decode_alpha, encode_alpha, encode_cutout, over_background
from vision.draw.panoptic import decode_panoptic, draw_panoptic, encode_panoptic
from vision.draw.poses import draw_poses
from vision.draw.segments import decode_mask, draw_segments, encode_mask, is_background
from vision.draw.texts import draw_texts


def draw(task: str, image_bgr: Pixels, answer: Answer, options: DrawOptions) -> Pixels:
    """Return a copy of an upright uint8 (H, W, 3) image with a model's answer drawn on it.

    `answer` has what a result row of the task holds, its mask (see `read_mask`) and its model's
    legend. The same input gives the same pixels.

    Raises:
        BadInputError: `decode_failed`: the mask and the picture differ in size.
    """
    if answer.mask is not None and answer.mask.shape != image_bgr.shape[:2]:
        raise BadInputError("decode_failed", "the mask is not as large as the picture")
    return DRAWERS[task].draw(image_bgr, answer, options)


def finds_something(task: str, answer: Answer) -> bool:
    """Return whether an answer, with or without its mask, says that something is in the picture.

    For segments, the background alone is nothing; matting always has something to show.
    """
    if task == MATTING:
        return True
    if task == SEGMENT:
        background = _background(answer)
        return any(one.class_id != background for one in answer.classes or ())
    if task == PANOPTIC:
        return bool(answer.segments)
    if task == CLASSIFY:
        return bool(answer.classes)
    return bool(answer.detections)


def encode_mask_of(task: str, mask: NDArray[Any]) -> bytes:
    """Return a task's mask [H,W] as a PNG; the same bytes every time."""
    return _mask_file(task).encode(mask)


def decode_mask_of(task: str, png: bytes) -> NDArray[Any]:
    """Return the mask [H,W] in a task's PNG, as `Answer.mask` has it.

    Raises:
        BadInputError: `decode_failed`: the file is damaged, or not one of this task's.
    """
    return _mask_file(task).decode(png)


def cut_out(task: str, image_bgr: Pixels, mask: NDArray[Any]) -> bytes:
    """Return a PNG of the part of a picture (H, W, 3) that a task's mask [H,W] cuts out.

    Raises:
        BadInputError: `not_encodable`.
    """
    cut = DRAWERS[task].cut_out
    assert cut is not None, f"{task} cuts nothing out"
    return cut(image_bgr, mask)


def _mask_file(task: str) -> MaskFile:
    mask_file = DRAWERS[task].mask_file
    assert mask_file is not None, f"{task} has no masks"
    return mask_file


def _detections(image_bgr: Pixels, answer: Answer, options: DrawOptions) -> Pixels:
    assert answer.detections is not None
    return draw_detections(image_bgr, answer.detections, options.alpha, Look.of(options))


def _people(image_bgr: Pixels, answer: Answer, options: DrawOptions) -> Pixels:
    assert answer.detections is not None
    return draw_poses(image_bgr, answer.detections, Look.of(options, boxes=False))


def _classes(image_bgr: Pixels, answer: Answer, options: DrawOptions) -> Pixels:
    return draw_classes(image_bgr, answer.classes or (), Look.of(options))


def _segments(image_bgr: Pixels, answer: Answer, options: DrawOptions) -> Pixels:
    assert answer.mask is not None
    classes, background = answer.classes or (), _background(answer)
    look = Look.of(options)
    return draw_segments(image_bgr, answer.mask, classes, options.alpha, background, look)


def _background(answer: Answer) -> int | None:
    """Return the class of a segmentation that is not painted."""
    classes = answer.classes or ()
    named = (one.class_id for one in classes if one.class_id == 0 and is_background(one.label))
    return next(named, answer.legend.background)


def _foreground(image_bgr: Pixels, answer: Answer, options: DrawOptions) -> Pixels:
    assert answer.mask is not None
    colour = options.background or GREEN
    return over_background(image_bgr, answer.mask, colour[::-1])


def _panoptic(image_bgr: Pixels, answer: Answer, options: DrawOptions) -> Pixels:
    assert answer.mask is not None
    look = Look.of(options)
    return draw_panoptic(image_bgr, answer.mask, answer.segments or (), options.alpha, look)


def _lines(image_bgr: Pixels, answer: Answer, options: DrawOptions) -> Pixels:
    lines = answer.detections
    assert lines is not None
    if lines.texts is not None and options.redact:
        hidden = zip(lines.names, lines.texts, strict=True)
        kept = tuple("" if name in options.redact else text for name, text in hidden)
        lines = replace(lines, texts=kept)
    return draw_texts(image_bgr, lines, Look.of(options))


DRAWERS: Mapping[str, Drawer] = {
    DETECT: Drawer(_detections),
    KEYPOINT: Drawer(_people),
    CLASSIFY: Drawer(_classes),
    SEGMENT: Drawer(_segments, MaskFile(encode_mask, decode_mask)),
    MATTING: Drawer(_foreground, MaskFile(encode_alpha, decode_alpha), encode_cutout),
    PANOPTIC: Drawer(_panoptic, MaskFile(encode_panoptic, decode_panoptic)),
    OCR: Drawer(_lines),
}
"""How each task draws."""
