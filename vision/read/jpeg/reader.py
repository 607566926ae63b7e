"""Reads JPEG: one decode, which also says whether the data is whole."""

import io
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from core import formats
from core.errors import BadInputError
from vision.read.decoded import Decoded, Header
from vision.read.exif import orientation_of
from vision.read.jpeg.complaint import complaint_of
from vision.read.jpeg.second_look import look_closer
from vision.read.jpeg.structure import (
    APP1,
    Frame,
    Structure,
    read_structure,
    scan_of,
    scan_segments,
)

MOST_SCANS = 100
"""More scans than this are an attack: each is decoded over the whole picture.

libjpeg's own progression has 10, mozjpeg's search ends with fewer than 20; libjpeg-turbo's
`TJFLAG_LIMITSCANS` is 500, which takes minutes in a large picture.
"""

_MOST_PIXELS = 2**30
"""cv2 and simplejpeg count pixels in 32 bits."""

_LOSSLESS = {0xC3, 0xCB}
_HIERARCHICAL = {0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF}
_JPEG_LS = 0xF7
_LOSSLESS_NAME = "a lossless JPEG"
_BITS = 8
_INKS = 4
_COLOURS = 3
_RARE = "Could not determine subsampling level"
_OTHER_COLOURS = "Unsupported color conversion request"
_EXIF = b"Exif\0\0"


Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class JpegHeader(Header):
    """A JPEG's header, with its markers, its orientation and what is odd about it."""

    structure: Structure
    orientation: int
    oddities: tuple[str, ...]

    @property
    def decode_bytes(self) -> int:
        """See `vision.read.decoded.Header`; with several scans, coefficients are kept, too.

        Four inks are there beside what is made of them.
        """
        turned = self.picture_bytes if self.orientation != 1 else 0
        is_inks = len(self.structure.frame.components) == _INKS
        inks = _INKS * self.width * self.height if is_inks else 0
        return self.picture_bytes + max(turned, self._coefficient_bytes + inks)

    @property
    def _coefficient_bytes(self) -> int:
        """Two bytes for each sample of each component (`JCOEF` in libjpeg's `jmorecfg.h`)."""
        if not self.structure.has_several_scans:
            return 0
        components = self.structure.frame.components
        across = max((one.horizontal for one in components), default=1) or 1
        down = max((one.vertical for one in components), default=1) or 1
        samples = sum(one.horizontal * one.vertical for one in components)
        return 2 * self.width * self.height * samples // (across * down)


def inspect(data: bytes) -> JpegHeader:
    """See `vision.read.decoded.Reader`; scans are counted."""
    structure = read_structure(data)
    frame = structure.frame
    _check_kind(frame)
    oddities = _check_scans(data, structure) if structure.has_several_scans else ()
    return JpegHeader(
        formats.JPEG,
        frame.width,
        frame.height,
        structure=structure,
        orientation=_orientation(data, structure),
        oddities=oddities,
    )


def _check_kind(frame: Frame) -> None:
    name = None
    if frame.marker in _LOSSLESS and frame.precision != _BITS:
        name = _LOSSLESS_NAME
    elif frame.marker in _HIERARCHICAL:
        name = "a hierarchical JPEG"
    elif frame.marker == _JPEG_LS:
        name = "JPEG-LS"
    elif frame.precision != _BITS:
        name = f"a {frame.precision}-bit JPEG"
    elif not frame.height:
        name = "a JPEG that states its height at its end"
    elif frame.width * frame.height > _MOST_PIXELS:
        name = f"a JPEG of {frame.width}x{frame.height} pixels"
    if name:
        raise _not_supported(name)
    if not frame.width:
        raise BadInputError("decode_failed", "the JPEG has no width")


def _not_supported(name: str) -> BadInputError:
    return BadInputError("not_supported", f"this is {name}, which is not read")


def _check_scans(data: bytes, structure: Structure) -> tuple[str, ...]:
    """Return what is odd about the scans.

    Raises:
        BadInputError: `decode_failed`, there are more than `MOST_SCANS`.
    """
    missing = {(one.id, number) for one in structure.frame.components for number in range(64)}
    for count, segment in enumerate(scan_segments(data, structure), start=1):
        if count > MOST_SCANS:
            raise BadInputError("decode_failed", f"the JPEG has more than {MOST_SCANS} scans")
        scan = scan_of(data, segment)
        if not scan.low_bit:
            whole = range(scan.first, scan.last + 1)
            missing.difference_update((one, at) for one in scan.components for at in whole)
    if missing and structure.frame.is_progressive:
        return ("it ends before its last scan: details are missing",)
    return ()


def _orientation(data: bytes, structure: Structure) -> int:
    for one in structure.segments:
        if one.marker == APP1 and data.startswith(_EXIF, one.body):
            return orientation_of(data[one.body + len(_EXIF) : one.stop])
    return 1


def decode(data: bytes, header: JpegHeader, *, is_lenient: bool) -> Decoded:
    """See `vision.read.decoded.Reader`. Bits are those of `cv2.imdecode`."""
    try:
        return Decoded(simplejpeg.decode_jpeg(data, "BGR"), header.orientation, header.oddities)
    except ValueError as error:
        message = str(error)
    if _OTHER_COLOURS in message:
        return Decoded(_decode_lossless_grey(data, header.structure.frame), header.orientation)
    if _RARE in message:
        pixels, warnings = _decode_rare(data, is_lenient=is_lenient)
    else:
        pixels, warnings = look_closer(data, header.structure, message, is_lenient=is_lenient)
    return Decoded(pixels, header.orientation, (*header.oddities, *dict.fromkeys(warnings)))


def _decode_lossless_grey(data: bytes, frame: Frame) -> Pixels:
    """Decode the one kind whose colours libjpeg doesn't convert though they are known."""
    if frame.marker not in _LOSSLESS:
        raise _not_supported("a JPEG of unknown colours")
    if len(frame.components) > 1:
        raise _not_supported(_LOSSLESS_NAME)
    try:
        grey = simplejpeg.decode_jpeg(data, "GRAY")
    except ValueError as error:
        complaint = complaint_of(str(error))
        words = f"the JPEG is damaged: {complaint.words}"
        raise BadInputError(complaint.reason or "decode_failed", words) from error
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


def _decode_rare(data: bytes, *, is_lenient: bool) -> tuple[Pixels, list[str]]:
    """Decode what simplejpeg doesn't: colours sampled in a way that TurboJPEG has no name for.

    Pillow notices a missing end and nothing else. Its bits are those of `cv2.imdecode`, which would
    complain to the process's stderr, where nobody knows about which file.
    """
    warnings = ["its colours are sampled in a rare way: damage may go unnoticed"]
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            image.load()
            return _bgr(image), warnings
    except Exception as error:  # whatever its reader raises on broken bytes
        is_unread = isinstance(error, UnidentifiedImageError)  # its message is an address
        words = "its header is unreadable" if is_unread else str(error)
        reason = "truncated" if "truncated" in words.lower() else "decode_failed"
        pixels = _decode_damaged(data) if is_lenient else None
        if pixels is None:
            raise BadInputError(reason, f"the JPEG is damaged: {words}") from error
        return pixels, [*warnings, words]


def _decode_damaged(data: bytes) -> Pixels | None:
    """Return what libjpeg makes of a file, grey or of three colours, whatever its complaints."""
    import imagecodecs  # noqa: PLC0415 - takes a while, and next to no picture needs it

    try:
        samples = imagecodecs.jpeg8_decode(data)
    except Exception:  # whatever it raises on broken bytes
        return None
    if samples.ndim == 3 and samples.shape[2] != _COLOURS:  # noqa: PLR2004 - height, width, colours
        return None
    code = cv2.COLOR_GRAY2BGR if samples.ndim == 2 else cv2.COLOR_RGB2BGR  # noqa: PLR2004
    return np.asarray(cv2.cvtColor(samples, code), np.uint8)


def _bgr(image: Image.Image) -> Pixels:
    """Return what Pillow has decoded; CMYK as OpenCV converts it."""
    if image.mode != "CMYK":
        return np.asarray(
            cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2BGR), np.uint8
        )
    light = np.uint16(255) - np.asarray(image)
    black = light[..., 3:]
    return (black - ((255 - light[..., 2::-1]) * black >> 8)).astype(np.uint8)
