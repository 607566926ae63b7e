"""Draws people as sticks and circles on a copy of their image."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from predictions.detections import Detections
from vision.draw.detections import draw_boxes
from vision.draw.look import Look, Strokes
from vision.palette import Colour
from vision.people import VISIBLE
from vision.skeletons import Skeleton, skeleton_of

_ALPHA = 0.85  # the lines' opacity
_DARK: Colour = (24, 24, 24)
_FRACTION_BITS = 4  # cv2 takes coordinates in sixteenths of a pixel


@dataclass(frozen=True, slots=True)
class _Pen:
    """Line widths in pixels: they fit the picture, but are thinner on small people.

    A dark rim makes lines stand out from a background of their colour.
    """

    stick_px: int
    radius_px: int
    rim_px: int

    @classmethod
    def for_person(cls, box: Sequence[float], strokes: Strokes) -> "_Pen":
        x1, y1, x2, y2 = box
        person_px = max(x2 - x1, y2 - y1)
        stick_px = max(1, round(min(person_px / 45, strokes.limb_px)))
        radius_px = max(1, round(min(person_px / 25, 1.1 * stick_px + 1)))
        return cls(stick_px, radius_px, rim_px=round(stick_px / 5))


_BARE = Look(boxes=False, labels=False)


def draw_poses(
    image_bgr: NDArray[np.uint8],
    people: Detections,
    look: Look = _BARE,
    *,
    visible: float = VISIBLE,
) -> NDArray[np.uint8]:
    """Return a copy of an upright uint8 (H, W, 3) image with people's joints and limbs drawn on it.

    Points that score less than `visible` are left out, and so are limbs that lack an end. The best
    scores are drawn last. Widths follow the picture's size, or the person's if that is small.
    Everything is blended in at once, so crossings are no more opaque than single lines. People's
    boxes come with their labels, over everything else. The same input gives the same pixels.
    """
    canvas = image_bgr.copy()
    if people.keypoints is None or not len(people):
        return canvas
    height, width = canvas.shape[:2]
    strokes = look.strokes(width, height)
    skeleton = skeleton_of(people.keypoints.shape[1])
    for row in np.argsort(people.scores, kind="stable"):
        points = people.keypoints[row]
        shown = points[:, 2] >= visible
        # A point may lie outside the picture, but not by more than the picture's size.
        shown &= (np.abs(points[:, :2] - (width / 2, height / 2)) < 1.5 * max(width, height)).all(1)
        pen = _Pen.for_person(people.xyxy[row].tolist(), strokes)
        _draw_person(canvas, points[:, :2], shown, skeleton, pen)
    drawn = np.asarray(cv2.addWeighted(image_bgr, 1 - _ALPHA, canvas, _ALPHA, 0), np.uint8)
    if look.boxes:
        draw_boxes(drawn, people.by_score(), look)
    return drawn


def _draw_person(
    canvas: NDArray[np.uint8],
    points: NDArray[np.float32],
    shown: NDArray[np.bool_],
    skeleton: Skeleton,
    pen: _Pen,
) -> None:
    places = np.round(np.where(shown[:, None], points, 0) * 2**_FRACTION_BITS).astype(int).tolist()
    limbs = [limb for limb in skeleton.limbs if shown[list(limb)].all()]
    joints = np.flatnonzero(shown).tolist()
    for rim in (True, False) if pen.rim_px else (False,):
        grown = pen.rim_px if rim else 0
        for limb in limbs:
            cv2.line(
                canvas,
                places[limb[0]],
                places[limb[1]],
                _DARK if rim else skeleton.limb_colour(limb),
                pen.stick_px + 2 * grown,
                cv2.LINE_AA,
                _FRACTION_BITS,
            )
        for joint in joints:
            cv2.circle(
                canvas,
                places[joint],
                (pen.radius_px + grown) << _FRACTION_BITS,
                _DARK if rim else skeleton.joint_colour(joint),
                cv2.FILLED,
                cv2.LINE_AA,
                _FRACTION_BITS,
            )
