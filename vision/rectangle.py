"""A rectangle of whole pixels in a picture."""

from typing import Any, NamedTuple

from numpy.typing import NDArray


class Rectangle(NamedTuple):
    """Whole pixels of a picture; x2 and y2 are exclusive."""

    x1: int
    y1: int
    x2: int
    y2: int

    def cut(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return these pixels, a view into an image [H,W,...]."""
        return image[self.y1 : self.y2, self.x1 : self.x2]
