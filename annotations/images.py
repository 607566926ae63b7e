"""The pictures of an export's items: linked, copied, or left where they are."""

import os
from enum import StrEnum
from functools import lru_cache

from annotations.pictures import Counts, Picture
from annotations.target import Target
from core.keys import text_to_key
from store.locations import open_store, split_location
from store.objects import ObjectStore
from store.s3.location import is_s3


class Images(StrEnum):
    """What becomes of the pictures."""

    LINK = "link"
    COPY = "copy"
    LEAVE = "leave"


class Placer:
    """Puts pictures into an export's folder, and counts those that are not there any more."""

    def __init__(self, target: Target, folder: str, images: Images, counts: Counts) -> None:
        self._target = target
        self._folder = folder
        self._images = images
        self._counts = counts

    def place(self, picture: Picture) -> None:
        """Link or copy a picture. What lies in a bucket is copied, as nothing can link there."""
        if self._images is Images.LEAVE:
            return
        uri = text_to_key(picture.uri)
        key = f"{self._folder}/{picture.name}"
        if self._images is Images.LINK and not is_s3(uri):
            self._counts.unread += not os.path.isfile(uri)  # noqa: PTH113 - a name may be too long
            self._target.link(key, uri)
            return
        location, name = split_location(uri)
        self._target.copy(key, _store(location), name)

    def close(self) -> None:
        """Wait for copies."""
        self._counts.unread += self._target.missing()


@lru_cache(64)
def _store(location: str) -> ObjectStore:
    return open_store(location)
