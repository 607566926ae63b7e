"""Trains the shipped classifier, which tells the weather."""

from pathlib import Path
from typing import Any

import numpy as np

from sample.weather import WEATHERS
from training.export import export, image_spec
from training.fit import Plan, fit, seed_all
from training.layers import Encoder, Layer, functional, nn
from training.pool import MEAN, STD, normalized, pooled, scene_of
from training.view import Image, random_view
from worker.engines.paddle.vendor import paddle

SIDE = 128
"""The side of the network's square input, in pixels."""

BATCH = 24
LABELS = tuple(weather.name for weather in WEATHERS)

_WIDTHS = (8, 16, 24, 40, 56)


class Classifier(Layer):  # type: ignore[misc]
    """Scores a picture for every class; see `forward`."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.encoder = Encoder(_WIDTHS)
        self.classify = nn.Linear(_WIDTHS[-1], classes)

    def forward(self, image: Any) -> Any:
        """Return logits [B,classes] for normalized RGB [B,3,H,W]."""
        return self.classify(self.encoder(image)[-1].mean([2, 3]))


class Deployed(Layer):  # type: ignore[misc]
    """The classifier followed by a softmax: its scores add up to 1."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, x: Any) -> Any:
        """Return scores [B,classes] for normalized RGB [B,3,H,W]."""
        return functional.softmax(self.classifier(x), 1)


def labelled(seed: int) -> tuple[Image, int]:
    """Return the scene with this seed and its weather's number."""
    scene = scene_of(seed)
    return scene.image, LABELS.index(scene.weather)


def train(scenes: int, plan: Plan) -> Classifier:
    """Train the network and return it."""
    seed_all(3)
    rng = np.random.default_rng(3)
    pool = pooled(labelled, scenes)
    network = Classifier(len(LABELS))

    def losses() -> dict[str, Any]:
        chosen = [pool[number] for number in rng.integers(len(pool), size=BATCH)]
        # The light is never changed: it tells the weather.
        images = [
            random_view(rng, image.shape[1::-1], (SIDE, SIDE)).image(image) for image, _ in chosen
        ]
        logits = network(paddle.to_tensor(normalized(images)))
        numbers = paddle.to_tensor(np.array([number for _, number in chosen]))
        return {"entropy": functional.cross_entropy(logits, numbers)}

    fit(network, losses, plan)
    return network


def export_classifier(classifier: Classifier, directory: Path) -> None:
    """Write `inference.yml` and the graph, as PaddleClas's `tools/export_model.py` does."""
    steps = [
        {"ResizeImage": {"size": [SIDE, SIDE], "interpolation": "area"}},
        {
            "NormalizeImage": {
                "channel_num": 3,
                "mean": list(MEAN),
                "order": "",
                "scale": 1 / 255,
                "std": list(STD),
            }
        },
        {"ToCHWImage": None},
    ]
    config = {
        "Global": {"model_name": directory.name},
        "PreProcess": {"transform_ops": steps},
        "PostProcess": {"Topk": {"topk": 3, "label_list": list(LABELS)}},
    }
    spec = image_spec("x", SIDE, SIDE)
    export(Deployed(classifier), directory, [spec], "inference.yml", config, "inference")
