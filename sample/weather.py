"""Light and weather, and the colours of the backdrop."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sample.shape import Colour

Image = NDArray[np.uint8]
"""Blue, green, red [H,W,3]."""


@dataclass(frozen=True, slots=True)
class Weather:
    """A kind of day.

    `light` multiplies blue, green and red; `haze` is how much it fades the far distance, 0 to 1;
    `noise` is the camera's, in grey levels.
    """

    name: str
    zenith: Colour
    horizon: Colour
    water: Colour
    light: Colour
    haze: float
    clouds: float
    chop: float
    noise: float
    rain: float = 0.0


WEATHERS = (
    Weather("clear", (214, 160, 92), (240, 222, 196), (150, 112, 52), (1.0, 1.0, 1.0), 0.15, 0.35,
            0.8, 2.0),
    Weather("golden", (170, 140, 120), (130, 196, 250), (110, 118, 110), (0.8, 0.95, 1.08), 0.25,
            0.4, 0.6, 2.5),
    Weather("overcast", (190, 182, 172), (214, 210, 205), (128, 120, 100), (0.92, 0.92, 0.9), 0.3,
            0.8, 1.0, 3.0),
    Weather("fog", (208, 205, 200), (220, 218, 214), (176, 172, 162), (0.9, 0.9, 0.9), 0.62, 0.0,
            0.4, 3.0),
    Weather("dusk", (120, 70, 60), (120, 130, 215), (88, 66, 62), (0.72, 0.62, 0.66), 0.3, 0.5,
            0.5, 5.0),
    Weather("rain", (160, 152, 142), (178, 172, 164), (112, 106, 92), (0.8, 0.8, 0.78), 0.42, 0.7,
            1.3, 4.0, 1.0),
)  # fmt: skip

ODDS = (0.3, 0.18, 0.2, 0.1, 0.1, 0.12)
"""How often each kind of weather occurs."""


def exposed(image: Image, weather: Weather, rng: np.random.Generator, unit: float) -> Image:
    """Return the picture in this weather's light, with its rain and the camera's noise.

    `unit` is the size in pixels of one pixel of a 640 x 480 picture.
    """
    height, width = image.shape[:2]
    if weather.rain:
        image = _rained_on(image, rng, unit)
    lit = cv2.transform(image, np.diag(weather.light))
    grain = np.empty((height, width), np.int16)
    cv2.setRNGSeed(int(rng.integers(2**31)))
    cv2.randn(grain, np.zeros(1), np.array([weather.noise]))
    return cv2.add(lit, cv2.merge([grain] * 3), dtype=cv2.CV_8U).astype(np.uint8, copy=False)


def _rained_on(image: Image, rng: np.random.Generator, unit: float) -> Image:
    height, width = image.shape[:2]
    streaks = np.zeros((height, width), np.uint8)
    for x, y, length in rng.random((140, 3)) * (width, height, 14 * unit):
        start = (int(x), int(y))
        end = (int(x - 0.25 * length), int(y + length))
        cv2.line(streaks, start, end, 90, max(1, round(unit)), cv2.LINE_AA)
    return cv2.add(image, cv2.merge([streaks // 2] * 3)).astype(np.uint8, copy=False)
