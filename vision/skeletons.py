"""The points that keypoint models find, and how they are connected."""

from dataclasses import dataclass

from vision.palette import Colour

LEFT: Colour = (255, 144, 30)
RIGHT: Colour = (0, 122, 255)
MIDDLE: Colour = (64, 204, 46)


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The joints of a person, in the order of a model's outputs, and the limbs between them.

    A limb is a pair of joint numbers. Left and right are the person's own.
    """

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]

    def joint_colour(self, joint: int) -> Colour:
        """Return the colour of a joint's side."""
        name = self.joints[joint]
        if name.startswith("left"):
            return LEFT
        return RIGHT if name.startswith("right") else MIDDLE

    def limb_colour(self, limb: tuple[int, int]) -> Colour:
        """Return the colour of a limb's side, or the neutral one if it connects both sides."""
        colours = {self.joint_colour(joint) for joint in limb} - {MIDDLE}
        return colours.pop() if len(colours) == 1 else MIDDLE


COCO_17 = Skeleton(
    "COCO-17",
    (
        "nose",
        "left_eye",
        "right_eye",
        "left_ear",
        "right_ear",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
    ),
    (
        *((0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
        *((5, 7), (7, 9), (6, 8), (8, 10), (5, 6)),
        *((5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16)),
    ),
)

MPII_16 = Skeleton(
    "MPII-16",
    (
        "right_ankle",
        "right_knee",
        "right_hip",
        "left_hip",
        "left_knee",
        "left_ankle",
        "pelvis",
        "thorax",
        "upper_neck",
        "head_top",
        "right_wrist",
        "right_elbow",
        "right_shoulder",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
    ),
    (
        *((0, 1), (1, 2), (2, 6), (3, 6), (3, 4), (4, 5)),
        *((6, 7), (7, 8), (8, 9)),
        *((10, 11), (11, 12), (12, 8), (8, 13), (13, 14), (14, 15)),
    ),
)

_KNOWN = {len(skeleton.joints): skeleton for skeleton in (COCO_17, MPII_16)}


def skeleton_of(joints: int) -> Skeleton:
    """Return the skeleton with `joints` joints, or unconnected numbered points if none is known.

    Exports don't name their points, but the published models have those of COCO and MPII.
    """
    return _KNOWN.get(joints) or Skeleton(
        f"{joints} points", tuple(f"point_{number}" for number in range(joints)), ()
    )
