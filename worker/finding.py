"""Objects in a picture: one look at it, or one at each of its tiles."""

from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from core.options import JobOptions
from core.slicing import Slicing
from vision.detections import Detections
from vision.merging import merge
from vision.tiles import Tile, Tiling, in_picture
from worker.detector import Detector
from worker.network import Pixels
from worker.recipe import ALONE, Ask, Steps

# Prepared tiles of one picture at a time: those of an 8K picture would be a gigabyte at once.
_TILES_AT_ONCE = 16

_METRIC: Final = "ios"
_THRESHOLD = 0.5

Finding = Generator[Sequence[Ask], Sequence[Any], Detections]


def find(detector: Detector, role: str, image_bgr: Pixels, options: JobOptions) -> Finding:
    """Ask the detector that has this role what is in an upright picture, as `options` say.

    Sliced, it looks at every tile, and at the whole picture for what is larger than a tile; what it
    finds twice is merged class by class, at half of the smaller box (SAHI's defaults).

    Raises:
        BadInputError: `model_output_invalid`.
    """
    if options.slicing is None:
        asks = [Ask(role, detector.prepare(image_bgr))]
        del image_bgr  # while it waits for a predictor, only who draws on it need keep it
        (output,) = yield asks
        return detector.found(output, options)
    looks = iter(_looks(image_bgr, options.slicing))
    found = []
    while tiles := list(islice(looks, _TILES_AT_ONCE)):
        outputs = yield [Ask(role, detector.prepare(tile.cut(image_bgr))) for tile in tiles]
        found += [
            in_picture(detector.found(output, options), tile)
            for tile, output in zip(tiles, outputs, strict=True)
        ]
    return merge(
        Detections.joined(found),
        method=options.slicing.merge,
        metric=_METRIC,
        threshold=_THRESHOLD,
    )


def _looks(image: Pixels, slicing: Slicing) -> Iterator[Tile]:
    height, width = image.shape[:2]
    tiles = Tiling(slicing.width, slicing.height, slicing.overlap).tiles((width, height))
    if len(tiles) > 1:
        yield Tile(0, 0, width, height)
    yield from tiles


class Objects:
    """A detector as a model of its own. See `worker.recipe.Recipe`."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    @staticmethod
    def revisits(options: JobOptions) -> bool:
        """Once for each few tiles."""
        return options.slicing is not None

    def steps(self, image_bgr: Pixels, options: JobOptions) -> Steps:
        """Ask for what is in the picture."""
        looking = find(self._detector, ALONE, image_bgr, options)
        del image_bgr
        return self._detector.answer((yield from looking))
