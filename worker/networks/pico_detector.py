"""A PicoDet whose graph leaves decoding and NMS to the worker."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from predictions.detections import Detections
from vision.exports.exported import ExportedModel
from vision.ops.preprocess import Prepared
from vision.ops.resize import Size
from vision.read.picodet import Maps, PicoDecoder
from vision.read.postprocess import read_rows
from worker.networks.detector import Detector


class PicoDetector(Detector):
    """See `vision.read.picodet`."""

    def __init__(self, export: ExportedModel) -> None:
        super().__init__(export)
        self._decoder = PicoDecoder.of(export.config)

    def split(
        self, outputs: Sequence[NDArray[Any]], batch: Sequence[Prepared], size: int
    ) -> list[Any]:
        """Return each image's maps, along with the prepared image."""
        maps = self._decoder.maps(outputs, size, _input_size(batch[0]))
        return [
            ([(scores[place], spread[place]) for scores, spread in maps], prepared)
            for place, prepared in enumerate(batch)
        ]

    def _read_above(self, output: tuple[Maps, Prepared], limit: float) -> Detections:
        maps, prepared = output
        rows = self._decoder.rows(
            maps, _input_size(prepared), prepared.im_shape, prepared.scale_factor
        )
        return read_rows(rows, threshold=limit)


def _input_size(prepared: Prepared) -> Size:
    height, width = prepared.image.shape[1:]
    return height, width
