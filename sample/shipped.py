"""The models that Regatta ships; `make models` trains them on the sample world.

The README.md beside each says how good it is.
"""

from importlib.resources import files
from pathlib import Path

EXPORTS = Path(str(files("sample"))) / "exports"

DETECTOR = EXPORTS / "regatta_fcos_384"
"""Finds everything in `sample.labels.LABELS`."""

SEGMENTER = EXPORTS / "regatta_seg_256"
"""Says of each pixel which of `sample.labels.SEGMENTS` it shows."""

POSE = EXPORTS / "regatta_pose_128x96"
"""Finds the joints of a rower in a crop: `sample.labels.JOINTS`."""

CLASSIFIER = EXPORTS / "regatta_weather_128"
"""Tells the weather: the names in `sample.weather.WEATHERS`."""

TEXT_DETECTOR = EXPORTS / "regatta_text_det"
"""Finds names on hulls."""

TEXT_RECOGNIZER = EXPORTS / "regatta_text_rec"
"""Reads a name that was cut out."""

MODELS = {
    "detect": DETECTOR,
    "segment": SEGMENTER,
    "keypoint": POSE,
    "classify": CLASSIFIER,
    "text-detect": TEXT_DETECTOR,
    "text-recognize": TEXT_RECOGNIZER,
}
"""By what each does."""
