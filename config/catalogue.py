"""Official Paddle models by name: what they are for and where to find them."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from core.errors import UsageError
from core.near import near_names

_NEAR = 0.5  # how alike a name has to be to be proposed
_MOST_PROPOSED = 5


@dataclass(frozen=True, slots=True)
class OfficialModel:
    """A model that Paddle offers, ready for inference."""

    name: str
    task: str

    def address(self, base: str) -> str:
        """Return the address of its archive on a server laid out like Paddle's, at `base`."""
        return f"{base.rstrip('/')}/{self.name}_infer.tar"


@cache
def official_models() -> tuple[OfficialModel, ...]:
    """Return every official model in the catalogue, by task."""
    text = files("config").joinpath("catalogue.toml").read_text(encoding="utf-8")
    return tuple(
        OfficialModel(name, task) for task, names in tomllib.loads(text).items() for name in names
    )


def find_official(name: str) -> OfficialModel:
    """Return a model by its name, in any case.

    Raises:
        UsageError: there is none; the hint names similar ones.
    """
    known = {model.name.lower(): model for model in official_models()}
    found = known.get(name.lower())
    if found is not None:
        return found
    official = (model.name for model in official_models())
    names = ", ".join(near_names(name, official, most=_MOST_PROPOSED, alike=_NEAR))
    raise UsageError(
        f"there is no official model {name!r} in the catalogue",
        hint=f"perhaps {names}" if names else "`regatta models catalogue` lists them",
    )
