"""Colours that tell classes apart, the same in every picture of every run."""

Colour = tuple[int, int, int]
"""Blue, green, red, 0 to 255."""

_BLACK: Colour = (0, 0, 0)
_WHITE: Colour = (255, 255, 255)

# Saturated enough for thin lines on photographs, neighbours far apart, no greys or browns.
# fmt: off
_HEX = (
    "ff3b5c", "1e90ff", "2ecc40", "ffb000", "b45cff",
    "00c8c8", "ff7a1a", "e6399b", "7bd12b", "4e6bff",
    "ffd93b", "00a86b", "ff5cd6", "36b3ff", "c0392b",
    "9acd00", "8e44ad", "00e0a0", "d96b00", "5f7fff",
)
# fmt: on
_COLOURS: tuple[Colour, ...] = tuple(
    (int(code[4:], 16), int(code[2:4], 16), int(code[:2], 16)) for code in _HEX
)


def colour_of(class_id: int) -> Colour:
    """Return the colour of a class; colours repeat only beyond 20 classes."""
    return _COLOURS[class_id % len(_COLOURS)]


def text_colour_on(background: Colour) -> Colour:
    """Return black or white, whichever stands out more (WCAG 2 contrast ratio)."""
    luminance = _luminance(background)
    return _BLACK if (luminance + 0.05) ** 2 > 1.05 * 0.05 else _WHITE


_SRGB_LINEAR_END = 0.04045


def _luminance(colour: Colour) -> float:
    """Return the relative luminance, 0 to 1, as WCAG 2 defines it."""
    blue, green, red = (_linear(channel / 255) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    """Undo sRGB's transfer function."""
    if channel <= _SRGB_LINEAR_END:
        return channel / 12.92
    return float(((channel + 0.055) / 1.055) ** 2.4)
