from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictions.detections import Detections
from vision.draw.detections import draw_detections
from vision.draw.look import Look, Strokes
from vision.draw.strip import label_strip
from vision.palette import colour_of

LABELS = ("person", "bicycle", "Straßenbahn")


def blank(height: int = 480, width: int = 640) -> np.ndarray:
    return np.full((height, width, 3), 90, np.uint8)


def one(*box: float, class_id: int = 0, score: float = 0.8) -> Detections:
    return Detections(
        np.array([box], np.float32),
        np.array([score], np.float32),
        np.array([class_id], np.int32),
        LABELS if class_id < len(LABELS) else None,
    )


def changed(image: np.ndarray, background: np.ndarray) -> np.ndarray:
    return np.asarray((image != background).any(axis=2))


def finds(drawn: np.ndarray, text: str, font_px: int, class_id: int = 0) -> bool:
    """Whether a label of this size stands somewhere in the picture, whole."""
    strip = label_strip(text, font_px, colour_of(class_id))
    return bool(cv2.matchTemplate(drawn, strip, cv2.TM_SQDIFF).min() < 1)


def test_no_detections_change_nothing() -> None:
    image = blank()
    drawn = draw_detections(image, Detections.empty())
    assert np.array_equal(drawn, image)
    assert not np.shares_memory(drawn, image)


def test_the_callers_image_is_not_touched() -> None:
    image = blank()
    image.flags.writeable = False
    assert changed(draw_detections(image, one(100, 100, 300, 300)), image).any()


def test_the_outline_lies_on_the_box_in_the_colour_of_its_class() -> None:
    drawn = draw_detections(blank(), one(100, 150, 300, 400, class_id=1))
    for x, y in [(200, 399), (100, 300), (299, 300)]:
        assert tuple(drawn[y, x].tolist()) == colour_of(1)


def test_the_inside_of_a_box_stays_visible() -> None:
    image = blank()
    drawn = draw_detections(image, one(100, 150, 300, 400))
    assert not changed(drawn, image)[155:395, 105:295].any()


@pytest.mark.parametrize("size", [3, 5, 8])
def test_a_tiny_object_is_marked_and_not_covered(size: int) -> None:
    image = blank(2160, 3840)
    drawn = draw_detections(image, one(2000, 1000, 2000 + size, 1000 + size))
    assert not changed(drawn, image)[1000 : 1000 + size, 2000 : 2000 + size].any()
    assert changed(drawn, image)[999, 2000 : 2000 + size].all()


def test_a_box_that_fills_the_image_has_all_four_sides() -> None:
    image = blank()
    mask = changed(draw_detections(image, one(0, 0, 640, 480)), image)
    assert mask[:, 0].all()
    assert mask[:, -1].all()
    assert mask[0].all()
    assert mask[-1].all()


def test_a_box_outside_the_image_is_not_drawn() -> None:
    image = blank()
    for box in [(-50, -50, -10, -10), (700, 10, 900, 90), (10, 500, 90, 900)]:
        assert np.array_equal(draw_detections(image, one(*box)), image)


@pytest.mark.parametrize(
    "box", [(0, 0, 60, 60), (600, 0, 640, 40), (0, 440, 30, 480), (610, 450, 640, 480)]
)
def test_labels_stay_inside_the_image_whole(box: tuple[float, ...]) -> None:
    drawn = draw_detections(blank(), one(*box))
    assert any(finds(drawn, "person 0.80", font_px) for font_px in range(9, 17))


def test_labels_do_not_cover_each_other() -> None:
    image = blank()
    first, second = one(200, 200, 260, 300, score=0.9), one(202, 201, 262, 301, class_id=1)
    both = Detections(
        np.vstack([first.xyxy, second.xyxy]), np.array([0.9, 0.8]), np.array([0, 1]), LABELS
    )
    drawn = draw_detections(image, both)
    alone = draw_detections(image, first)
    label = changed(alone, image)[:197]  # above the box and its line there is only the label
    assert label.any()
    assert np.array_equal(drawn[:197][label], alone[:197][label])


def cars(rows: int, columns: int, *, step: int, size: int) -> Detections:
    """A car park seen from above."""
    places = np.array([(x * step + 40, y * step + 40) for y in range(rows) for x in range(columns)])
    count = rows * columns
    return Detections(
        np.hstack([places, places + size]).astype(np.float32),
        np.full(count, 0.5, np.float32),
        np.zeros(count, np.int32),
        ("car",),
    )


def test_many_small_objects_get_small_labels_that_do_not_cover_their_neighbours() -> None:
    image = blank(1080, 1920)
    found = cars(12, 20, step=80, size=24)
    drawn = draw_detections(image, found)
    bare = draw_detections(image, found, look=Look(labels=False))
    for x1, y1, x2, y2 in found.xyxy.astype(int).tolist():
        inside = slice(y1 + 3, y2 - 3), slice(x1 + 3, x2 - 3)
        assert changed(drawn[inside], bare[inside]).mean() < 0.3
    assert finds(drawn, "car 0.50", Strokes.for_image(1920, 1080).fonts(6)[0])
    assert not finds(drawn, "car 0.50", Strokes.for_image(1920, 1080).font_px)


def test_a_legend_in_the_emptiest_corner_counts_what_has_no_room_for_labels() -> None:
    image = blank(1080, 1920)
    found = cars(30, 30, step=14, size=13)
    drawn = draw_detections(image, found)
    written = changed(drawn, draw_detections(image, found, look=Look(labels=False)))
    assert written[:, 960:].any()
    font_px = Strokes.for_image(1920, 1080)
    assert finds(drawn, "car \N{MULTIPLICATION SIGN}900", font_px.fonts(0.7 * font_px.font_px)[0])


def test_labels_and_scores_and_boxes_can_be_left_out() -> None:
    image, found = blank(), one(100, 150, 300, 400)
    font_px = Strokes.for_image(640, 480).font_px
    assert finds(draw_detections(image, found), "person 0.80", font_px)
    named = draw_detections(image, found, look=Look(scores=False))
    assert finds(named, "person", font_px)
    assert not finds(named, "person 0.80", font_px)
    outline = draw_detections(image, found, look=Look(labels=False))
    assert tuple(outline[399, 200].tolist()) == colour_of(0)
    assert not changed(outline, image)[:140].any()
    nothing = draw_detections(image, found, look=Look(labels=False, boxes=False))
    assert np.array_equal(nothing, image)


def test_lines_and_fonts_are_as_wide_and_as_large_as_asked() -> None:
    image, found = blank(), one(100, 150, 300, 400)
    drawn = draw_detections(image, found, look=Look(labels=False, line_px=9))
    assert changed(drawn, image)[:, 200].sum() == 2 * 9
    large = Strokes.for_image(640, 480, font_scale=2)
    assert large.font_px == pytest.approx(2 * Strokes.for_image(640, 480).font_px, rel=0.1)
    assert finds(
        draw_detections(image, found, look=Look(font_scale=2)), "person 0.80", large.font_px
    )


def test_order_does_not_matter_and_pixels_repeat() -> None:
    rng = np.random.default_rng(5)
    corners = rng.uniform(0, 400, (30, 2))
    found = Detections(
        np.hstack([corners, corners + rng.uniform(5, 150, (30, 2))]),
        (rng.permutation(30) / 30).astype(np.float32),
        rng.integers(0, 3, 30, dtype=np.int32),
        LABELS,
    )
    drawn = draw_detections(blank(), found)
    assert np.array_equal(drawn, draw_detections(blank(), found))
    shuffled = found.select(rng.permutation(30))
    assert np.array_equal(drawn, draw_detections(blank(), shuffled))


def test_threads_draw_what_one_draws() -> None:
    found = [one(50 + i, 60, 200 + i, 300, class_id=i % 3, score=i / 40) for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda each: draw_detections(blank(), each), found))
    alone = [draw_detections(blank(), each) for each in found]
    assert all(map(np.array_equal, together, alone))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 4),
    st.integers(0, 500),
)
def test_any_box_in_any_image_can_be_drawn(
    height: int, width: int, box: tuple[float, float, float, float], class_id: int
) -> None:
    drawn = draw_detections(blank(height, width), one(*box, class_id=class_id))
    assert drawn.shape == (height, width, 3)


@pytest.mark.parametrize("wh", [(4317, 2775), (2775, 4317), (640, 480), (359, 423), (7680, 4320)])
def test_captions_and_lines_can_be_seen_in_a_thumbnail(wh: tuple[int, int]) -> None:
    strokes, shown = Strokes.for_image(*wh), 320 / max(wh)
    assert 9 <= strokes.font_px * shown <= 14
    assert 1 <= strokes.line_px * shown <= 2
    assert 9 <= strokes.least_font_px <= strokes.font_px / 1.5


def test_a_panorama_is_drawn_on_as_if_it_were_shorter() -> None:
    assert Strokes.for_image(9000, 500) == Strokes.for_image(1000, 500)
