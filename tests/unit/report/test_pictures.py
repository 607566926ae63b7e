from pathlib import Path

import cv2
import numpy as np

from report.pictures import TOTAL_BYTES, Embedded, embed
from report.statistics import GALLERY, Picture
from store.locations import open_store


def picture(key: str) -> Picture:
    return Picture(0, key, "m", key, 0, {})


def noise(width: int, height: int) -> bytes:
    """The picture that compresses worst."""
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    return bytes(cv2.imencode(".jpg", pixels)[1])


def embedded(folder: Path, keys: list[str]) -> list[Embedded]:
    return list(embed([picture(key) for key in keys], open_store(str(folder))))


def test_small_pictures_keep_their_size(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(noise(40, 30))
    [shown] = embedded(tmp_path, ["a.jpg"])
    assert (shown.width, shown.height) == (40, 30)
    assert shown.url.startswith("data:image/jpeg;base64,/9j/")


def test_large_pictures_are_scaled_in_proportion(tmp_path: Path) -> None:
    done, data = cv2.imencode(".jpg", np.full((1000, 4000, 3), 90, np.uint8))
    assert done
    (tmp_path / "a.jpg").write_bytes(bytes(data))
    [shown] = embedded(tmp_path, ["a.jpg"])
    assert (shown.width, shown.height) == (1280, 320)


def test_a_full_gallery_of_the_worst_stays_within_its_share(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(noise(700, 500))
    shown = embedded(tmp_path, ["a.jpg"] * GALLERY)
    assert len(shown) == GALLERY
    assert sum(len(each.url) for each in shown) < 1.34 * TOTAL_BYTES


def test_what_is_gone_or_broken_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(noise(8, 8))
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    shown = embedded(tmp_path, ["gone.jpg", "a.jpg", "b.jpg"])
    assert [each.picture.item for each in shown] == ["a.jpg"]
