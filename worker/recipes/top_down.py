"""Top-down keypoints: a detector finds people, and a keypoint model looks at each of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.options import JobOptions
from core.tasks import DETECTOR, KEYPOINT
from predictions.answer import Answer
from predictions.detections import Detections
from vision.ops.person_crop import person_crop
from vision.people import people_classes
from worker.networks.detector import Detector
from worker.networks.network import Pixels
from worker.networks.pose_network import TopDown
from worker.recipes.recipe import MOST_ASKS, Ask, Steps
from worker.recipes.sliced_detection import find


class TopDownRecipe:
    """See `worker.recipes.recipe.Recipe`. The crops of many pictures share batches."""

    def __init__(self, detector: Detector, keypoint: TopDown, *, people: Sequence[str]) -> None:
        self._detector = detector
        self._keypoint = keypoint
        self._classes = people_classes(detector.labels, people)

    @staticmethod
    def revisits(options: JobOptions) -> bool:
        """Return True: it crops the people out of the picture."""
        del options
        return True

    def steps(self, image_bgr: Pixels, options: JobOptions) -> Steps:
        """Ask where people are, then for each one's keypoints."""
        found = yield from find(self._detector, DETECTOR, image_bgr, options)
        people = found.select(np.isin(found.class_ids, self._classes)).by_score()
        size = (image_bgr.shape[0], image_bgr.shape[1])
        crops = [person_crop(box, size) for box in people.xyxy.tolist()]
        # A box outside the picture has nothing to show.
        people = people.select(np.array([crop is not None for crop in crops], np.bool_))
        seen = [crop for crop in crops if crop is not None]
        heatmaps: list[NDArray[Any]] = []
        for start in range(0, len(seen), MOST_ASKS):
            parts = [crop.cut(image_bgr) for crop in seen[start : start + MOST_ASKS]]
            heatmaps += yield [Ask(KEYPOINT, self._keypoint.prepare(part)) for part in parts]
        points = self._keypoint.keypoints(heatmaps, seen) if seen else None
        # The people's masks are not part of a pose.
        return Answer(
            Detections(
                people.xyxy, people.scores, people.class_ids, people.labels, keypoints=points
            )
        )
