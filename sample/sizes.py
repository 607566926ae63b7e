"""In which shapes and sizes pictures of the world come."""

SHAPES = ((4, 3), (3, 2), (16, 9), (4, 3), (1, 1), (3, 4), (3, 2))
"""Width to height, as cameras have them."""

MEGAPIXELS = (0.2, 0.3, 0.5, 0.9, 2.0)
"""How many pixels a picture has."""


def size_of(number: int) -> tuple[int, int]:
    """Width and height of the picture with this number: all shapes and sizes take turns."""
    wide, high = SHAPES[number % len(SHAPES)]
    pixels = MEGAPIXELS[number % len(MEGAPIXELS)] * 1e6
    unit = (pixels / (wide * high)) ** 0.5
    return round(wide * unit), round(high * unit)
