"""The settings in a DB text detector's export for reading its map."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import UsageError

DETECTOR = "DBPostProcess"
_ONE_WAY = {"score_mode": "fast", "box_type": "quad"}
_MOST_UNCLIP = 100  # text is grown by 1.5 to 2


@dataclass(frozen=True, slots=True)
class DbSettings:
    """`DBPostProcess`'s arguments of the same names; the defaults are PaddleX's."""

    thresh: float = 0.3
    box_thresh: float = 0.6
    max_candidates: int = 1000
    unclip_ratio: float = 2.0
    use_dilation: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "DbSettings":
        """Return the settings in the `PostProcess` of an `inference.yml`.

        Raises:
            UsageError: A setting makes no sense, or this version doesn't support it.
        """
        post = config["PostProcess"]
        for key, way in _ONE_WAY.items():
            if post.get(key, way) != way:
                raise UsageError(
                    f"the model's {key} {post[key]!r} is unknown",
                    hint=f"this version finds text with {key} {way!r} only",
                )
        default = cls()
        try:
            settings = cls(
                thresh=float(post.get("thresh", default.thresh)),
                box_thresh=float(post.get("box_thresh", default.box_thresh)),
                max_candidates=int(post.get("max_candidates", default.max_candidates)),
                unclip_ratio=float(post.get("unclip_ratio", default.unclip_ratio)),
                use_dilation=bool(post.get("use_dilation", default.use_dilation)),
            )
        except (TypeError, ValueError) as error:
            raise UsageError(f"the model's {DETECTOR} cannot be read: {error}") from error
        settings._check()
        return settings

    def _check(self) -> None:
        for key, value in (("thresh", self.thresh), ("box_thresh", self.box_thresh)):
            if not 0 <= value <= 1:
                raise UsageError(f"the model's {key} must lie between 0 and 1, not at {value}")
        if not 0 < self.unclip_ratio < _MOST_UNCLIP or self.max_candidates < 1:
            raise UsageError(
                f"the model's unclip_ratio {self.unclip_ratio} or max_candidates "
                f"{self.max_candidates} makes no sense"
            )
