"""Reads text: one network finds lines, an optional one spots upside-down lines, one reads."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.escape import storable
from core.options import JobOptions
from core.tasks import LEAST_LINE_SCORE, ORIENTATION, TEXT_DET, TEXT_REC
from predictions.answer import Answer
from predictions.detections import Detections
from vision.ops.text_line import crop_line, upright
from vision.outputs.ctc import LineText
from worker.networks.classifier import Classifier
from worker.networks.network import Pixels
from worker.networks.text_network import TextDetector, TextRecognizer
from worker.recipes.recipe import MOST_ASKS, Ask, Steps

_LABELS = ("text",)


class OcrRecipe:
    """See `worker.recipes.recipe.Recipe`. The lines of many pictures share batches."""

    def __init__(
        self,
        detector: TextDetector,
        recognizer: TextRecognizer,
        orientation: Classifier | None = None,
    ) -> None:
        self._detector = detector
        self._recognizer = recognizer
        self._orientation = orientation

    @staticmethod
    def revisits(options: JobOptions) -> bool:
        """Return True: it cuts the lines out of the picture."""
        del options
        return True

    def steps(self, image_bgr: Pixels, options: JobOptions) -> Steps:
        """Ask where the lines are, which of them to turn, and what they say."""
        (output,) = yield [Ask(TEXT_DET, self._detector.prepare(image_bgr))]
        size = (image_bgr.shape[0], image_bgr.shape[1])
        quads = self._detector.regions(output, size).quads
        texts: list[LineText] = []
        for start in range(0, len(quads), MOST_ASKS):
            lines = [crop_line(image_bgr, quad) for quad in quads[start : start + MOST_ASKS]]
            if self._orientation is not None:
                outputs = yield [Ask(ORIENTATION, self._orientation.prepare(one)) for one in lines]
                lines = [self._turned(*pair) for pair in zip(lines, outputs, strict=True)]
            texts += yield [Ask(TEXT_REC, self._recognizer.prepare(line)) for line in lines]
        return _answer(quads, texts, options)

    def _turned(self, line: Pixels, scores: NDArray[np.float32]) -> Pixels:
        assert self._orientation is not None
        best = int(scores.argmax())
        return upright(line, self._orientation.labels[best], float(scores[best]))


def _answer(quads: NDArray[np.float32], texts: Sequence[LineText], options: JobOptions) -> Answer:
    """Return the lines that have text, in reading order.

    Raises:
        BadInputError: `model_output_invalid`: a score is NaN or infinite.
    """
    scores = np.array([text.score for text in texts], np.float32)
    if not np.isfinite(scores).all():
        raise BadInputError("model_output_invalid", "a character's probability is NaN or infinite")
    limit = LEAST_LINE_SCORE if options.rows.threshold is None else options.rows.threshold
    kept = [row for row, text in enumerate(texts) if text.text and text.score >= limit]
    quads, scores = quads[kept], scores[kept]
    return Answer(
        Detections(
            np.concatenate([quads.min(1), quads.max(1)], axis=1),
            scores,
            np.zeros(len(kept), np.int32),
            labels=_LABELS,
            polygons=tuple(quads),
            texts=tuple(storable(texts[row].text) for row in kept),
        )
    )
