"""Draws sky, shore and water, before anything is on them."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sample.labels import GROUNDS
from sample.shape import Colour, mixed, shaded
from sample.weather import Image, Weather

Fill = Callable[[NDArray[np.float64], Colour, float], None]
"""Fills an outline [N,2] in pixels with a colour, a share of which is lost to haze."""

_SKY, _SHORE, _WATER = range(len(GROUNDS))
_GREEN: Colour = (62, 112, 78)
_WALLS: tuple[Colour, ...] = ((205, 222, 235), (120, 150, 200), (175, 190, 200), (90, 110, 170))
_ROOFS: tuple[Colour, ...] = ((60, 70, 150), (70, 70, 80), (50, 60, 110))


@dataclass(frozen=True, slots=True)
class Backdrop:
    """`image` [H,W,3]; `grounds` [H,W] holds places in `GROUNDS`."""

    image: Image
    grounds: NDArray[np.uint8]


def backdrop(size: tuple[int, int], horizon: float, weather: Weather, seed: int) -> Backdrop:
    """Draw the sky, shore and water of a picture of `size` (width, height).

    The horizon is `horizon` pixels from the top. The same arguments give the same pixels.
    """
    rng = np.random.default_rng(seed)
    width, height = size
    line = round(horizon)
    image = np.empty((height, width, 3), np.uint8)
    image[:line] = _sky((width, line), weather, rng)
    image[line:] = _water((width, height - line), weather, rng)
    grounds = np.full((height, width), _WATER, np.uint8)
    grounds[:line] = _SKY
    shore = np.zeros((height, width), np.uint8)
    _draw_shore(image, shore, horizon, weather, rng)
    grounds[shore > 0] = _SHORE
    return Backdrop(image, grounds)


def rippled(image: Image, horizon: float, weather: Weather, seconds: float, seed: int) -> Image:
    """Return the picture with its water distorted by waves, and glints on them."""
    line = round(horizon)
    water = image[line:]
    height, width = water.shape[:2]
    near = (np.arange(height, dtype=np.float32) + 2) / height
    rows = np.arange(height, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)[None, :]
    wave = np.sin(60 * np.sqrt(near)[:, None] * 2 + seconds * 3 + columns * (6.0 / width))
    wave += 0.6 * np.sin(43 * np.sqrt(near)[:, None] * 5 - seconds * 2 - columns * (17.0 / width))
    shift = wave * (0.012 * width * weather.chop) * near[:, None]
    moved = cv2.remap(
        water,
        (columns + shift).astype(np.float32),
        np.broadcast_to(rows, shift.shape).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    rng = np.random.default_rng(seed)
    glints = _streaks((width, height), near, rng) * (0.55 * weather.chop)
    glints *= 0.75 + 0.25 * np.sin(seconds * 2 + columns * 0.1 + rows)
    level = np.rint(glints * 26).astype(np.int16)
    out = image.copy()
    out[line:] = cv2.add(moved, cv2.merge([level] * 3), dtype=cv2.CV_8U)
    return out


def _sky(size: tuple[int, int], weather: Weather, rng: np.random.Generator) -> Image:
    width, height = size
    share = np.linspace(0, 1, height)[:, None, None] ** 1.4
    sky = np.array(weather.zenith) * (1 - share) + np.array(weather.horizon) * share
    field = np.broadcast_to(sky, (height, width, 3)).astype(np.float32)
    if weather.clouds:
        cloud = _cloud((width, height), rng)
        cover = np.clip((cloud - (1 - weather.clouds)) * 2.2, 0, 0.85)[:, :, None]
        white = np.array(mixed(weather.horizon, (255, 255, 255), 0.55), np.float32)
        field = field * (1 - cover) + white * cover
    return field.astype(np.uint8)


def _cloud(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return soft noise at several scales, 0 to 1."""
    width, height = size
    total = np.zeros((height, width), np.float32)
    for cells, weight in ((3, 0.5), (7, 0.3), (15, 0.2)):
        coarse = rng.random((cells + 1, 2 * cells + 1)).astype(np.float32)
        total += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return total


def _water(size: tuple[int, int], weather: Weather, rng: np.random.Generator) -> Image:
    width, height = size
    near = ((np.arange(height) + 1) / height)[:, None, None]
    far = np.array(mixed(weather.water, weather.horizon, 0.55))
    field = far * (1 - near**0.6) + np.array(shaded(weather.water, 0.85)) * near**0.6
    field = np.broadcast_to(field, (height, width, 3)).astype(np.float32)
    shade = _streaks((width, height), near[:, 0, 0].astype(np.float32), rng)[:, :, None]
    return np.clip(field + shade * (9 * weather.chop), 0, 255).astype(np.uint8)


def _streaks(
    size: tuple[int, int], near: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return noise that is long and thin, and coarser towards the bottom: about -2 to 2."""
    width, height = size
    noise = rng.standard_normal((64, 48)).astype(np.float32)
    rows = np.broadcast_to((np.log(near * 30 + 1) * 16)[:, None] % 63, (height, width))
    columns = np.linspace(0, 46, width, dtype=np.float32)[None, :].repeat(height, 0)
    return cv2.remap(noise, columns, rows.astype(np.float32), cv2.INTER_LINEAR).astype(
        np.float32, copy=False
    )


def _draw_shore(
    image: Image,
    shore: NDArray[np.uint8],
    horizon: float,
    weather: Weather,
    rng: np.random.Generator,
) -> None:
    """Draw hills, trees and houses along the horizon."""
    height, width = shore.shape
    unit = float(np.sqrt(width * height / (640 * 480)))
    far = 0.25 + 0.75 * weather.haze

    def fill(points: NDArray[np.float64], colour: Colour, share: float) -> None:
        hazy = mixed(colour, weather.horizon, share)
        outline = [np.rint(points * 16).astype(np.int32)]
        cv2.fillPoly(image, outline, hazy, cv2.LINE_AA, 4)
        cv2.fillPoly(shore, outline, 1, cv2.LINE_8, 4)

    for ridge, tall, share in ((0, 46, min(0.9, far + 0.2)), (1, 22, far * 0.7)):
        x = np.linspace(0, width, 24)
        y = _hills(len(x), rng) * tall * unit * rng.uniform(0.5, 1.2)
        line = np.stack([x, horizon - 2 * unit - y], 1)
        ends = np.array([[width, horizon + 2 * unit], [0, horizon + 2 * unit]])
        fill(np.concatenate([line, ends]), shaded(_GREEN, 0.8 + 0.3 * ridge), share)
    for x in np.sort(rng.uniform(0, width, int(rng.integers(6, 26)))):
        size = float(rng.uniform(5, 15)) * unit
        if rng.random() < 0.25:  # noqa: PLR2004
            _draw_house(fill, x, horizon + unit, size, far * 0.5, rng)
        else:
            turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
            wide = size * rng.uniform(0.5, 1.0)
            crown = np.stack([x + wide * np.cos(turn), horizon - size * (1 + np.sin(turn))], 1)
            fill(crown, shaded(_GREEN, float(rng.uniform(0.6, 1.1))), far * 0.5)
    bank = np.array([[0, -1], [width, -1], [width, 2], [0, 2]]) * (1, unit) + (0, horizon)
    fill(bank, (92, 122, 128), far * 0.5)


def _draw_house(
    fill: Fill, x: float, ground: float, size: float, share: float, rng: np.random.Generator
) -> None:
    wide, high = 0.8 * size, 1.1 * size
    foot = np.array([x, ground])
    wall = np.array([[-wide, 0], [wide, 0], [wide, -high], [-wide, -high]])
    roof = np.array([[-1.15 * wide, -high], [1.15 * wide, -high], [0, -1.7 * high]])
    fill(foot + wall, _WALLS[rng.integers(len(_WALLS))], share)
    fill(foot + roof, _ROOFS[rng.integers(len(_ROOFS))], share)
    for place in (-0.45, 0.35):
        pane = np.array([[0, 0], [0.3, 0], [0.3, -0.4], [0, -0.4]]) * size
        fill(pane + np.array([x + place * wide, ground - 0.35 * high]), (80, 70, 60), share)


def _hills(points: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a smooth line, 0 to 1."""
    steps = np.convolve(rng.random(points + 4), np.ones(5) / 5, "valid")
    return np.asarray((steps - steps.min()) / max(1e-6, np.ptp(steps)), float)
