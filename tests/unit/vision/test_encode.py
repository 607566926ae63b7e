import io

import cv2
import numpy as np
import pytest
from PIL import Image

from core.errors import BadInputError
from vision.encode import encode_jpeg, encode_picture


def picture() -> np.ndarray:
    noise = np.random.default_rng(3).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 4)


def test_another_reader_sees_the_same_picture() -> None:
    image = picture()
    read = Image.open(io.BytesIO(encode_jpeg(image, 95)))
    assert (read.format, read.size) == ("JPEG", (80, 60))
    assert np.abs(np.asarray(read)[..., ::-1].astype(int) - image).max() <= 12


def test_the_same_picture_gives_the_same_bytes() -> None:
    assert encode_jpeg(picture(), 90) == encode_jpeg(picture().copy(), 90)


def test_better_quality_is_larger() -> None:
    assert len(encode_jpeg(picture(), 95)) > len(encode_jpeg(picture(), 50))


def test_a_thin_coloured_line_keeps_its_colour() -> None:
    image = np.full((64, 64, 3), 128, np.uint8)
    image[:, 31] = (0, 0, 255)
    read = np.asarray(Image.open(io.BytesIO(encode_jpeg(image, 95))))
    red, green, blue = read[32, 31].astype(int)
    assert red - max(green, blue) > 180


def test_what_no_jpeg_can_hold_is_refused() -> None:
    with pytest.raises(BadInputError, match="70000x2") as caught:
        encode_jpeg(np.zeros((2, 70_000, 3), np.uint8), 90)
    assert caught.value.reason == "not_encodable"


@pytest.mark.parametrize(("form", "name"), [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")])
def test_each_format_is_what_another_reader_takes_it_for(form: str, name: str) -> None:
    image = picture()
    data = encode_picture(image, form, 95)
    assert data == encode_picture(image.copy(), form, 95)
    read = Image.open(io.BytesIO(data))
    assert (read.format, read.size) == (name, (80, 60))
    off = np.abs(np.asarray(read.convert("RGB"))[..., ::-1].astype(int) - image)
    assert off.max() == 0 if form == "png" else off.mean() < 4


def test_quality_is_for_what_loses_something() -> None:
    for form in ("jpg", "webp"):
        assert len(encode_picture(picture(), form, 95)) > len(encode_picture(picture(), form, 50))
    assert encode_picture(picture(), "png", 95) == encode_picture(picture(), "png", 50)


def test_what_no_webp_can_hold_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"16384x1 is more than a WebP holds \(16383 a side\)"):
        encode_picture(np.zeros((1, 16_384, 3), np.uint8), "webp", 90)
