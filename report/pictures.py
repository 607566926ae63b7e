"""Annotated pictures, made small enough to be embedded in a page."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from report.statistics import Picture
from store.locations import open_store, split_location
from store.objects import ObjectStore
from store.s3.location import is_s3
from vision.encode import encode_jpeg
from vision.read.picture import read_picture

TOTAL_BYTES = 2_400_000
"""The most bytes for all pictures of a page, as JPEG; base64 adds a third."""

_LARGEST_BYTES = 240_000
_SIDES = (1280, 1024, 800, 640, 480, 320, 160)
_QUALITY = 78
_MAX_PIXELS = 400_000_000


@dataclass(frozen=True, slots=True)
class Embedded:
    """A picture as a `data:` URL, `width` by `height` pixels."""

    picture: Picture
    url: str
    width: int
    height: int


def embed(pictures: Sequence[Picture], output: ObjectStore) -> Iterator[Embedded]:
    """Yield the pictures with their pixels, each as large as its share of the page allows.

    Pictures that are gone, or can no longer be read, are left out.

    Raises:
        RetryableError: the store cannot be read.
    """
    share = min(_LARGEST_BYTES, TOTAL_BYTES // max(1, len(pictures)))
    for picture in pictures:
        try:
            image = read_pixels(content_of(picture.annotated, output))
        except BadInputError:
            continue
        yield Embedded(picture, *as_url(image, share))


def read_pixels(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels of an encoded picture, uint8 (H, W, 3).

    Raises:
        BadInputError: it cannot be read.
    """
    return read_picture(data, max_pixels=_MAX_PIXELS).pixels


def as_url(image: NDArray[np.uint8], most: int) -> tuple[str, int, int]:
    """Return a picture of at most so many bytes, as a `data:` URL, with its width and height."""
    data, width, height = _fitted(image, most)
    return "data:image/jpeg;base64," + base64.b64encode(data).decode(), width, height


def is_place(annotated: str) -> bool:
    """Return whether a picture's name is a path or URL: one of a result that was taken over."""
    return annotated.startswith("/") or is_s3(annotated)


def place_url(annotated: str) -> str:
    """Return the URL of such a picture."""
    folder, key = split_location(annotated)
    return open_store(folder).url(key)


def content_of(annotated: str, output: ObjectStore) -> bytes:
    """Return the content of a picture of a job with this output, whichever job drew it."""
    if not is_place(annotated):
        return output.get(annotated)
    folder, key = split_location(annotated)
    return open_store(folder).get(key)


def _fitted(image: NDArray[np.uint8], max_bytes: int) -> tuple[bytes, int, int]:
    """Return the largest JPEG of at most `max_bytes`, or the smallest that is tried."""
    largest = _scaled(image, _SIDES[0])  # the tries need not begin at 100 megapixels each
    for side in _SIDES:
        small = _scaled(largest, side)
        data = encode_jpeg(small, _QUALITY)
        if len(data) <= max_bytes:
            break
    return data, small.shape[1], small.shape[0]


def _scaled(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
