"""Puts models on record, so that later jobs find them by name without opening their files."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from core.errors import UsageError
from core.options import ModelRef
from registry.cards import composed_card, model_card, noted_facts
from registry.chosen_model import ChosenModel, model_in_files, model_on_record
from registry.shipped import shipped_models
from store.database import Database
from store.models import add_model, facts_of_row, note_facts
from store.tables import Model
from vision.exports.export import read_export


@dataclass(frozen=True, slots=True)
class Recording:
    """What a model is called, and what has to be written so that its name says what it is.

    `card` is None if it is a shipped one, or all is on record already.
    """

    ref: ModelRef
    card: dict[str, Any] | None
    is_new: bool = False

    @property
    def name(self) -> str:
        """The name by which schedules find it."""
        return self.ref.name

    def write(self, session: Session, *, now: float) -> None:
        """Write it.

        Raises:
            UsageError: the name has been taken by another model meanwhile.
        """
        if self.card is None:
            return
        if self.is_new:
            add_model(session, self.ref, self.card, now=now)
        else:
            note_facts(session, self.ref, self.card["facts"])


def recording_of(db: Database, named: str | ModelRef) -> Recording:
    """Return what puts a model on record that a person named, or that another job had.

    Its files are read, unless its name says all.

    Raises:
        UsageError: there is no such model, or its name stands for another one.
    """
    row = None if isinstance(named, ModelRef) else db.read(lambda s: s.get(Model, named))
    if isinstance(named, str) and row is None and named in shipped_models():
        return Recording(replace(model_on_record(db, named).ref, name=named), None)
    chosen = model_in_files(db, named)
    name = chosen.ref.name
    row = db.read(lambda s: s.get(Model, name))
    if row is None and name not in shipped_models():
        return Recording(chosen.ref, _card(chosen, named), is_new=True)
    digest = model_on_record(db, name).ref.digest if row is None else row.digest
    if digest != chosen.ref.digest:
        raise UsageError(
            f"the name {name!r} stands for another model ({digest[:12]}), and schedules find "
            "their models by name",
            hint=f"give it one: regatta models add NAME {chosen.ref.location or named}",
        )
    if row is None or facts_of_row(row) is not None:
        return Recording(chosen.ref, None)
    return Recording(chosen.ref, {"facts": noted_facts(chosen.exports)})


def _card(chosen: ChosenModel, named: str | ModelRef) -> dict[str, Any]:
    ref = chosen.ref
    if ref.parts:
        source = named if isinstance(named, str) else "an earlier job"
        return composed_card(ref, chosen.exports, source)
    return model_card(read_export(Path(ref.location)), ref.location, None)
