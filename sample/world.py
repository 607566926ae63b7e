"""Makes regatta scenes: a stretch of water with boats, crews, buoys and gulls, at any moment.

Difficulty is part of the definition: `docs/sample-world.md` says how large things are and how much
of them is hidden.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sample.actor import Actor, Pose
from sample.backdrop import backdrop, rippled
from sample.buoy import random_buoy
from sample.canvas import Canvas, Place, boxes_of, full_areas
from sample.gull import random_gull
from sample.labels import ROWER
from sample.rowing import random_rowing_boat
from sample.sailing import random_sailing_boat
from sample.scene import Box, Name, Scene, Thing
from sample.weather import ODDS, WEATHERS, Weather, exposed

LEAST_VISIBLE = 0.25
"""Things with a smaller visible share are not part of the truth."""

_REFERENCE = (640, 480)
_TRIES = 12
_MOST_COVERED = 0.45


@dataclass(frozen=True, slots=True)
class _Placed:
    actor: Actor
    place: Place
    first_track: int


@dataclass(frozen=True, slots=True)
class World:
    """A stretch of water, seen in pictures of `size` (width, height) pixels."""

    seed: int
    size: tuple[int, int]
    horizon: float
    weather: Weather
    actors: tuple[_Placed, ...]

    def scene(self, seconds: float = 0.0) -> Scene:
        """Return what a camera sees at this time; the same world and time give the same pixels."""
        ground = backdrop(self.size, self.horizon, self.weather, self.seed)
        moved = [self._moved(placed, seconds) for placed in self.actors]
        poses = [placed.actor.pose(seconds) for placed in self.actors]
        canvas = Canvas(ground.image, self.weather.horizon)
        for placed, place, pose in zip(self.actors, moved, poses, strict=True):
            if placed.actor.is_afloat:
                canvas.mirror(pose.shapes, place)
        canvas.image = rippled(canvas.image, self.horizon, self.weather, seconds, self.seed)
        owner, areas, about = 1, [0], []
        for placed, place, pose in zip(self.actors, moved, poses, strict=True):
            canvas.draw(pose.shapes, place, owner)
            areas += full_areas(pose.shapes, place, len(pose.labels))
            about += [(placed, place, pose, part) for part in range(len(pose.labels))]
            owner += len(pose.labels)
        rng = np.random.default_rng((self.seed, round(seconds * 1000)))
        unit = _unit(self.size)
        image = exposed(canvas.image, self.weather, rng, unit)
        things, owners = _truth(canvas.owners, areas, about)
        return Scene(image, things, owners, ground.grounds, self.weather.name)

    def frames(self, count: int, *, per_second: float = 25.0) -> Iterator[Scene]:
        """Yield a sequence in which everything moves on and keeps its track."""
        for number in range(count):
            yield self.scene(number / per_second)

    def _moved(self, placed: _Placed, seconds: float) -> Place:
        place = placed.place
        x = place.x + placed.actor.speed * seconds * place.scale
        return Place(x, place.y, place.scale, place.haze)


def new_world(seed: int, size: tuple[int, int] = _REFERENCE) -> World:
    """Return a world that depends on its seed alone, whatever the picture's size.

    Things take the same share of the picture at any size; the picture's shape decides how many fit.
    """
    rng = np.random.default_rng(seed)
    height = size[1]
    horizon = height * float(rng.uniform(0.26, 0.46))
    weather = WEATHERS[int(rng.choice(len(WEATHERS), p=ODDS))]
    wanted = _wanted(rng)
    placed: list[tuple[Actor, Place, Box]] = []
    for actor, least, most in wanted:
        found = _find_place(rng, actor, (least, most), size, horizon, weather, placed)
        if found is not None:
            placed.append((actor, found, _room(actor, found)))
    # Nearer things are lower in the picture, unless they fly.
    placed.sort(key=lambda entry: entry[1].y if entry[0].is_afloat else entry[1].y + height)
    actors, track = [], 1
    for actor, place, _ in placed:
        actors.append(_Placed(actor, place, track))
        track += len(actor.pose(0.0).labels)
    return World(seed, size, horizon, weather, tuple(actors))


def _wanted(rng: np.random.Generator) -> list[tuple[Actor, float, float]]:
    """Return actors, each with its range of scales (pixels per metre at 640 x 480)."""
    crowd = float(rng.choice([0.5, 1.0, 1.7], p=[0.3, 0.45, 0.25]))
    wanted: list[tuple[Actor, float, float]] = []
    wanted += [(random_rowing_boat(rng), 21, 66) for _ in range(rng.poisson(1.5 * crowd))]
    wanted += [(random_sailing_boat(rng), 7, 44) for _ in range(rng.poisson(1.4 * crowd))]
    wanted += [(random_buoy(rng), 15, 66) for _ in range(rng.poisson(1.8 * crowd))]
    wanted += [(random_gull(rng), 26, 95) for _ in range(rng.poisson(1.5 * crowd))]
    if not wanted:
        wanted = [(random_rowing_boat(rng), 21, 66)]
    return [wanted[place] for place in rng.permutation(len(wanted))]


def _find_place(
    rng: np.random.Generator,
    actor: Actor,
    scales: tuple[float, float],
    size: tuple[int, int],
    horizon: float,
    weather: Weather,
    placed: list[tuple[Actor, Place, Box]],
) -> Place | None:
    """Return a place where the actor neither covers nor is covered too much, or None."""
    width, height = size
    unit = _unit(size)
    left, bottom, right, top = actor.extent
    for _ in range(_TRIES):
        scale = unit * float(np.exp(rng.uniform(np.log(scales[0]), np.log(scales[1]))))
        if (right - left) * scale > 1.05 * width or (top - bottom) * scale > 0.75 * height:
            continue
        near = scale / (unit * scales[1])
        if actor.is_afloat:
            depth = near ** float(rng.uniform(0.75, 1.1))
            y = horizon + (height - horizon) * (0.06 + 0.86 * depth)
        else:
            y = float(rng.uniform(0.08, 0.75)) * height
        x = float(rng.uniform(-0.03, 1.03)) * width
        x = float(np.clip(x, -left * scale * 0.6, width - right * scale * 0.6))
        haze = weather.haze * (1 - near) ** 0.7 if actor.is_afloat else 0.3 * weather.haze
        place = Place(x, y, scale, haze)
        room = _room(actor, place)
        if all(_shared(room, other) < _MOST_COVERED for *_, other in placed):
            return place
    return None


def _truth(
    owners: NDArray[np.uint16], areas: list[int], about: list[tuple[_Placed, Place, Pose, int]]
) -> tuple[tuple[Thing, ...], NDArray[np.uint16]]:
    """Return the visible things, and the owners renumbered without the invisible ones."""
    things: list[Thing] = []
    renumbered = np.zeros(len(about) + 1, np.uint16)
    for owner, found in enumerate(boxes_of(owners, len(about)), 1):
        if found is None:
            continue
        box, area = found
        visible = min(1.0, area / max(1, areas[owner]))
        if visible < LEAST_VISIBLE:
            continue
        placed, place, pose, part = about[owner - 1]
        label = pose.labels[part]
        joints = _joints(pose, part, place, owners, owner) if label == ROWER else None
        name = _name(pose, place, owners, owner) if part == 0 else None
        things.append(Thing(label, box, visible, placed.first_track + part, joints, name))
        renumbered[owner] = len(things)
    return tuple(things), renumbered[owners]


def _joints(
    pose: Pose, part: int, place: Place, owners: NDArray[np.uint16], owner: int
) -> NDArray[np.float32]:
    """Return x, y and visibility of each joint, [17,3]."""
    points = place.pixels(np.array(pose.joints[part]))
    height, width = owners.shape
    states = []
    for x, y in np.floor(points).astype(int):
        inside = 0 <= x < width and 0 <= y < height
        states.append((2 if owners[y, x] == owner else 1) if inside else 0)
    return np.concatenate([points, np.array(states)[:, None]], 1).astype(np.float32)


def _name(pose: Pose, place: Place, owners: NDArray[np.uint16], owner: int) -> Name | None:
    if pose.lettering is None:
        return None
    quad = place.pixels(pose.lettering.quad)
    height, width = owners.shape
    steps = np.linspace(0, 1, 9)
    across, down = np.meshgrid(steps, steps)
    top = quad[0] + across[..., None] * (quad[1] - quad[0])
    points = np.floor(top + down[..., None] * (quad[3] - quad[0])).astype(int).reshape(-1, 2)
    inside = ((points >= 0) & (points < (width, height))).all(1)
    seen = points[inside]
    visible = (owners[seen[:, 1], seen[:, 0]] == owner).sum() / len(points)
    return Name(pose.lettering.text, quad.astype(np.float32), float(visible))


def _room(actor: Actor, place: Place) -> Box:
    left, bottom, right, top = actor.extent
    return (
        place.x + left * place.scale,
        place.y - top * place.scale,
        place.x + right * place.scale,
        place.y - bottom * place.scale,
    )


def _shared(one: Box, other: Box) -> float:
    """Return how much of the smaller box the other one covers, 0 to 1."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return wide * high / smaller


def _unit(size: tuple[int, int]) -> float:
    """Return the size in pixels of one pixel of the reference picture."""
    return float(np.sqrt(size[0] * size[1] / (_REFERENCE[0] * _REFERENCE[1])))
