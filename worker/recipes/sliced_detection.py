"""Finds objects in a picture as a whole, or tile by tile."""

from collections.abc import Generator, Sequence
from typing import Any, Final

from core.options import JobOptions
from core.slicing import Slicing
from predictions.answer import Answer
from predictions.detections import Detections
from vision.merging import merge
from vision.rectangle import Rectangle
from vision.rle import moved
from vision.tiles import Tiling, in_picture
from worker.networks.detector import Detector
from worker.networks.network import Pixels
from worker.recipes.recipe import MOST_ASKS, WHOLE, Ask, Steps

_METRIC: Final = "ios"
_THRESHOLD = 0.5

Detecting = Generator[Sequence[Ask], Sequence[Any], Detections]


def find(detector: Detector, role: str, image_bgr: Pixels, options: JobOptions) -> Detecting:
    """Ask the detector with this role for the objects in an upright picture, as `options` say.

    When slicing, it looks at every tile, and at the whole picture for objects larger than a tile;
    duplicates are merged class by class at an overlap of half the smaller box (SAHI's defaults).

    Raises:
        BadInputError: `model_output_invalid`.
    """
    size_wh = (image_bgr.shape[1], image_bgr.shape[0])
    if options.rows.slicing is None:
        asks = [Ask(role, detector.prepare(image_bgr))]
        del image_bgr  # while it waits for a predictor, only the drawing may keep the picture alive
        (output,) = yield asks
        # The graph may have rounded the picture's size in its masks.
        return moved(detector.found(output, options), 0, 0, (size_wh[1], size_wh[0]))
    tiles = _tiles(size_wh, options.rows.slicing)
    found: list[Detections] = []
    for start in range(0, len(tiles), MOST_ASKS):
        parts = [tile.cut(image_bgr) for tile in tiles[start : start + MOST_ASKS]]
        outputs = yield [Ask(role, detector.prepare(part)) for part in parts]
        found += [detector.found(output, options) for output in outputs]
    return merge(
        in_picture(found, tiles, size_wh),
        method=options.rows.slicing.merge,
        metric=_METRIC,
        threshold=_THRESHOLD,
    )


def _tiles(size_wh: tuple[int, int], slicing: Slicing) -> list[Rectangle]:
    """Return a picture's tiles, preceded by the whole picture if there is more than one."""
    tiles = Tiling(slicing.width, slicing.height, slicing.overlap).tiles(size_wh)
    return tiles if len(tiles) == 1 else [Rectangle(0, 0, *size_wh), *tiles]


class DetectionRecipe:
    """A detector as a model of its own. See `worker.recipes.recipe.Recipe`."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    @staticmethod
    def revisits(options: JobOptions) -> bool:
        """Return True if it has tiles to cut."""
        return options.rows.slicing is not None

    def steps(self, image_bgr: Pixels, options: JobOptions) -> Steps:
        """Ask for the objects in the picture."""
        looking = find(self._detector, WHOLE, image_bgr, options)
        del image_bgr
        return Answer(detections=(yield from looking))
