"""What is known to be right about pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.things import Things


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader has to keep of a truth beside boxes and classes: the rest only takes memory."""

    segments: bool = False
    keypoints: bool = False
    texts: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The truth about pictures.

    `names` are the pictures', which `things.image` counts; `labels` the classes', which
    `things.label` counts. `sizes` int64 (N, 2) are widths and heights, 0 where the truth does not
    say. If `has_stems`, names lack their suffix; if `has_shares`, boxes and outlines are shares of
    the picture's size. `masks` are the stores and keys of label maps, one for each name.
    `has_places` says that things have boxes. `notes` say what was odd, for people.
    """

    location: str
    form: str
    names: Sequence[str]
    labels: tuple[str, ...]
    things: Things
    sizes: NDArray[np.int64] | None = None
    has_stems: bool = False
    has_shares: bool = False
    has_places: bool = True
    masks: Sequence[tuple[str, str]] | None = None
    notes: tuple[str, ...] = ()
