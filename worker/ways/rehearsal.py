"""Runs pictures through a model's networks outside the pipeline, one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.options import JobOptions, ModelRef
from predictions.answer import Answer
from predictions.detections import Detections
from vision.rectangle import Rectangle
from worker.engines.protocol import PredictError, Predictor
from worker.networks.network import Network, Pixels, stacked
from worker.networks.pose_network import TopDown
from worker.networks.text_network import TextDetector, TextRecognizer
from worker.recipes.by_model import recipe_of
from worker.recipes.recipe import WHOLE, Ask, Recipe, Steps

Outputs = list[NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """What came of a picture: its answer, if it has one, and each run's outputs by role."""

    answer: Answer | None
    outputs: Mapping[str, Sequence[Outputs]]


class Rehearsal:
    """Takes pictures through one model; `networks` are its networks by role."""

    def __init__(
        self, recipe: Recipe, networks: Mapping[str, Network], options: JobOptions
    ) -> None:
        self._recipe = recipe
        self._networks = networks
        self._options = options

    def take(
        self,
        image_bgr: Pixels,
        predictors: Mapping[str, Predictor],
        sizes: Mapping[str, int] = MappingProxyType({}),
    ) -> Take:
        """Run an upright picture, each network on its role's predictor, one ask per batch.

        A role's first ask is padded to the batch size in `sizes`, as in a job. A picture that a
        network refuses has no answer.

        Raises:
            FatalError: the model is not what it claims to be.
            OutOfMemoryError: there isn't enough memory.
        """
        outputs: dict[str, list[Outputs]] = {}
        steps = self._recipe.steps(image_bgr, self._options)
        try:
            asks = next(steps)
            while True:
                given = []
                for ask in asks:
                    runs = outputs.setdefault(ask.role, [])
                    size = 1 if runs else sizes.get(ask.role, 1)
                    runs.append(predictors[ask.role].predict(stacked([ask.prepared], size)))
                    given += self._networks[ask.role].split(runs[-1], [ask.prepared], size)
                asks = steps.send(given)
        except StopIteration as end:
            return Take(cast("Answer", end.value), outputs)
        except (BadInputError, PredictError, ValueError):  # columns refuse NaN and infinity
            return Take(None, outputs)
        finally:
            steps.close()


def solo_recipe(ref: ModelRef, network: Network) -> Recipe:
    """Return a recipe for a network alone, even if jobs run it only as a part.

    Raises:
        UsageError: as `recipe_of`.
    """
    if isinstance(network, TopDown | TextDetector | TextRecognizer):
        return _Part(network)
    return recipe_of(ref, {WHOLE: network})


class _Part:
    """A recipe that shows a part of composed models the whole picture. See `Recipe`."""

    def __init__(self, network: TopDown | TextDetector | TextRecognizer) -> None:
        self._network = network

    @staticmethod
    def revisits(options: JobOptions) -> bool:
        """Return False."""
        del options
        return False

    def steps(self, image_bgr: Pixels, options: JobOptions) -> Steps:
        """Ask the network once, and turn its output into columns."""
        del options
        height, width = image_bgr.shape[:2]
        (output,) = yield [Ask(WHOLE, self._network.prepare(image_bgr))]
        network = self._network
        whole = np.array([[0, 0, width, height]], np.float32)
        one, first = np.ones(1, np.float32), np.zeros(1, np.int32)
        if isinstance(network, TopDown):
            points = network.keypoints([output], [Rectangle(0, 0, width, height)])
            return Answer(Detections(whole, one, first, ("person",), keypoints=points))
        if isinstance(network, TextRecognizer):
            score = np.array([output.score], np.float32)
            return Answer(Detections(whole, score, first, ("text",), texts=(output.text,)))
        quads = network.regions(output, (height, width)).quads
        count = len(quads)
        return Answer(
            Detections(
                np.concatenate([quads.min(1), quads.max(1)], axis=1),
                np.ones(count, np.float32),
                np.zeros(count, np.int32),
                labels=("text",),
            )
        )
