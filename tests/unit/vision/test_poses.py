import numpy as np
import pytest

from predictions.detections import Detections
from vision.draw.look import Look
from vision.draw.poses import draw_poses
from vision.palette import colour_of
from vision.people import VISIBLE, people_around
from vision.skeletons import COCO_17, LEFT, MIDDLE, MPII_16, RIGHT, skeleton_of

GREY = 128


def person(size_wh: tuple[int, int], joints: int = 17, score: float = 0.9) -> np.ndarray:
    """Points (1, K, 3) spread over the middle half of a picture."""
    random = np.random.default_rng(joints)
    points = random.uniform(0.25, 0.75, (1, joints, 3)) * (*size_wh, 1)
    points[..., 2] = score
    return points.astype(np.float32)


def poses(keypoints: np.ndarray) -> Detections:
    return people_around(keypoints, keypoints[..., 2].mean(1), ("person",))


def test_nobody() -> None:
    image = np.full((60, 80, 3), GREY, np.uint8)
    nobody = Detections.empty(("person",))
    assert len(nobody) == 0
    drawn = draw_poses(image, nobody)
    assert np.array_equal(drawn, image)
    assert drawn is not image
    assert len(poses(np.empty((0, 17, 3), np.float32))) == 0


def test_a_box_is_tight_around_visible_points() -> None:
    keypoints = np.array(
        [
            [[10, 20, 0.9], [30, 5, VISIBLE], [500, 500, 0.1]],
            [[1, 2, 0.1], [3, 4, 0.0], [2, 9, 0.1]],
        ],
        np.float32,
    )
    assert poses(keypoints).xyxy.tolist() == [[10, 5, 30, 20], [1, 2, 3, 9]]


@pytest.mark.parametrize("size", [(1, 1), (12, 320), (240, 320), (4320, 7680)])
@pytest.mark.parametrize("joints", [17, 16, 21])
def test_people_are_drawn_into_a_copy(size: tuple[int, int], joints: int) -> None:
    image = np.full((*size, 3), GREY, np.uint8)
    drawn = draw_poses(image, poses(person((size[1], size[0]), joints)))
    assert drawn.shape == image.shape
    assert (image == GREY).all()
    assert (drawn != GREY).any()


def test_joints_have_the_colour_of_their_side() -> None:
    image = np.full((400, 400, 3), GREY, np.uint8)
    keypoints = np.zeros((1, 17, 3), np.float32)
    for joint, x in (("nose", 50), ("left_wrist", 150), ("right_wrist", 250)):
        keypoints[0, COCO_17.joints.index(joint)] = (x, 200, 1)
    drawn = draw_poses(image, poses(keypoints))
    for x, colour in ((50, MIDDLE), (150, LEFT), (250, RIGHT)):
        assert np.abs(drawn[200, x].astype(int) - colour).max() < 40


def test_what_is_hardly_there_is_not_drawn() -> None:
    image = np.full((240, 320, 3), GREY, np.uint8)
    keypoints = person((320, 240), score=VISIBLE)
    keypoints[..., 2] -= 0.001
    assert np.array_equal(draw_poses(image, poses(keypoints)), image)
    assert not np.array_equal(draw_poses(image, poses(keypoints), visible=0.1), image)


def test_a_point_far_out_is_no_answer() -> None:
    image = np.full((240, 320, 3), GREY, np.uint8)
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, 5] = (1e12, -1e12, 1)
    keypoints[0, 7] = (-1e30, 100, 1)
    assert np.array_equal(draw_poses(image, poses(keypoints)), image)


def covered(size_wh: tuple[int, int], fraction: float) -> float:
    """How much of a picture a person covers who is so large in it, in widths of 1/1000 picture."""
    keypoints = np.zeros((1, 17, 3), np.float32)
    width, height = size_wh
    keypoints[0, 13] = (width / 2, height * (0.5 - fraction / 2), 1)
    keypoints[0, 15] = (width / 2, height * (0.5 + fraction / 2), 1)
    image = np.full((height, width, 3), GREY, np.uint8)
    line = (draw_poses(image, poses(keypoints))[height // 2] != GREY).any(-1)
    return 1000 * line.sum() / width


def test_widths_follow_the_picture_and_small_people() -> None:
    assert covered((320, 240), 0.8) == pytest.approx(covered((3200, 2400), 0.8), abs=10)
    large = covered((7680, 4320), 0.8)
    assert large > 2
    assert covered((7680, 4320), 0.02) < large / 3
    assert covered((320, 240), 0.05) > 0


def test_limbs_are_no_hairs_in_a_small_portrait() -> None:
    assert covered((359, 423), 0.8) * 359 / 1000 >= 3


def test_people_have_boxes_when_asked() -> None:
    image = np.full((240, 320, 3), GREY, np.uint8)
    people = poses(person((320, 240)))
    boxed = draw_poses(image, people, Look())
    x1, y1, _, y2 = people.xyxy[0].round().astype(int).tolist()
    assert tuple(boxed[(y1 + y2) // 2, x1].tolist()) == colour_of(0)
    assert (boxed != draw_poses(image, people, Look(labels=False))).any()
    assert (boxed[y1, x1] != draw_poses(image, people)[y1, x1]).any()


def test_skeletons_hang_together() -> None:
    for skeleton in (COCO_17, MPII_16):
        assert skeleton_of(len(skeleton.joints)) is skeleton
        reached = {0}
        for _ in skeleton.joints:
            for limb in skeleton.limbs:
                if reached & set(limb):
                    reached |= set(limb)
        assert reached == set(range(len(skeleton.joints)))
        sides = [skeleton.limb_colour(limb) for limb in skeleton.limbs]
        assert sides.count(LEFT) == sides.count(RIGHT) > 0
    assert skeleton_of(21).limbs == ()
    assert len(skeleton_of(21).joints) == 21
