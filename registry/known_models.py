"""The models that go by a name here: the registered ones, and those that Regatta ships."""

from collections.abc import Iterable
from pathlib import Path

from core.errors import UsageError
from core.near import did_you_mean
from core.options import ModelRef
from registry.cards import composed_card, model_card
from registry.chosen_model import find_models
from registry.shipped import shipped_models
from store.database import Database
from store.models import list_models
from store.tables import Model
from vision.exports.export import read_export

SHIPPED_AT = 0.0
"""The time at which a shipped model "was added": nobody added it."""


def known_models(db: Database) -> list[Model]:
    """Return the registered models by name, then the shipped ones whose names are not taken."""
    registered = db.read(list_models)
    taken = {model.name for model in registered}
    return [*registered, *(_shipped(db, name) for name in _untaken(taken))]


def known_model(db: Database, name: str) -> Model:
    """Return a registered or a shipped model.

    Raises:
        UsageError: there is no model of that name.
    """
    registered = {model.name: model for model in db.read(list_models)}
    if name in registered:
        return registered[name]
    if name not in shipped_models():
        hint = did_you_mean(name, [*registered, *shipped_models()])
        raise UsageError(
            f"there is no model {name!r}",
            hint=hint or "`regatta models list` shows the names",
        )
    return _shipped(db, name)


def is_shipped(db: Database, model: ModelRef) -> bool:
    """Return whether a model is the very one that ships with Regatta under its name."""
    if model.name not in shipped_models():
        return False
    return _shipped(db, model.name).digest == model.digest


def _untaken(taken: Iterable[str]) -> list[str]:
    return sorted(shipped_models().keys() - set(taken))


def _shipped(db: Database, name: str) -> Model:
    """Return a shipped model as its row would be."""
    (chosen,) = find_models(db, [name])
    ref, place = chosen.ref, shipped_models()[name]
    source = "ships with Regatta"
    card = (
        composed_card(ref, chosen.exports, source)
        if ref.parts
        else model_card(read_export(Path(ref.location)), source, None)
    )
    return Model(
        name=name,
        task=ref.task,
        digest=ref.digest,
        location=str(place),
        card=card,
        added_at=SHIPPED_AT,
    )
