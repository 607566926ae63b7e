"""The models that Regatta ships; `make models` trains them on the sample world."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from sample.labels import JOINTS, LABELS, SEGMENTS
from sample.weather import WEATHERS

EXPORTS = Path(str(files("sample"))) / "exports"

DETECTOR = EXPORTS / "regatta_fcos_384"
SEGMENTER = EXPORTS / "regatta_seg_256"
CLASSIFIER = EXPORTS / "regatta_weather_128"
ROWERS = EXPORTS / "composed" / "regatta_rowers.toml"
NAMES = EXPORTS / "composed" / "regatta_names.toml"


@dataclass(frozen=True, slots=True)
class Shipped:
    """An export, what it `does`, and the `least` that its `score` on held-out scenes may be.

    The README.md in `directory` says how good it is.
    """

    directory: Path
    does: str
    score: str
    least: float


MODELS = {
    "detect": Shipped(DETECTOR, f"finds {', '.join(LABELS)}", "AP50", 0.85),
    "segment": Shipped(
        SEGMENTER, f"says what each pixel shows: {', '.join(SEGMENTS)}", "mIoU", 0.68
    ),
    "keypoint": Shipped(
        EXPORTS / "regatta_pose_128x96",
        f"finds the {len(JOINTS)} joints (COCO's) of one rower",
        "mean OKS",
        0.75,
    ),
    "classify": Shipped(
        CLASSIFIER,
        f"tells the weather: {', '.join(weather.name for weather in WEATHERS)}",
        "accuracy",
        0.95,
    ),
    "text_det": Shipped(EXPORTS / "regatta_text_det", "finds the names on hulls", "hmean", 0.75),
    "text_rec": Shipped(
        EXPORTS / "regatta_text_rec",
        "reads a name that was cut out, or other capitals and digits without spaces",
        "characters right",
        0.9,
    ),
}
"""The shipped models, by purpose."""

SHOWN = {
    "detect": DETECTOR,
    "segment": SEGMENTER,
    "keypoint": ROWERS,
    "classify": CLASSIFIER,
    "ocr": NAMES,
}
"""The models that jobs run, by task: exports, and files that compose several of them."""
