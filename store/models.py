"""The model registry: names for exported models."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.errors import UsageError
from core.export_facts import ExportFacts
from core.near import did_you_mean
from core.options import ModelRef
from store.rows import changed, new_or_known
from store.tables import Model


def add_model(session: Session, ref: ModelRef, card: dict[str, Any], *, now: float) -> None:
    """Register a model under its name.

    Raises:
        UsageError: the name is taken by a model with another digest.
    """
    what = {
        "task": ref.task,
        "digest": ref.digest,
        "location": ref.location,
        "card": card,
        "added_at": now,
    }
    statement = new_or_known(session, Model, {"name": ref.name} | what).on_conflict_do_update(
        index_elements=[Model.name], set_=what, where=Model.digest == ref.digest
    )
    if session.scalar(statement.returning(Model.name)) is None:
        known = session.get_one(Model, ref.name)
        raise UsageError(
            f"there is a model {ref.name!r} with another digest, {known.digest[:12]}",
            hint=f"choose another name, or `regatta models remove {ref.name}` first",
        )


def find_model(session: Session, name: str) -> Model:
    """Return a registered model.

    Raises:
        UsageError: there is no model of that name.
    """
    model = session.get(Model, name)
    if model is None:
        raise UsageError(
            f"there is no model {name!r}",
            hint=did_you_mean(name, (each.name for each in list_models(session)))
            or "`regatta models list` shows the names; jobs take an export's path, too",
        )
    return model


def model_ref(model: Model) -> ModelRef:
    """Return a registered model as jobs refer to it."""
    return ModelRef.from_json(
        {
            "name": model.name,
            "task": model.task,
            "digest": model.digest,
            "location": model.location,
            "parts": model.card.get("parts", {}),
            "settings": model.card.get("settings", {}),
        }
    )


def facts_of_row(model: Model) -> dict[str, ExportFacts] | None:
    """Return what was noted about a model's exports, by role; None by an earlier version."""
    noted = model.card.get("facts")
    if noted is None:
        return None
    labels = {"labels": model.card.get("labels", [])}
    return {role: ExportFacts.from_json({**labels, **one}) for role, one in noted.items()}


def note_facts(session: Session, ref: ModelRef, facts: dict[str, Any]) -> None:
    """Note facts that an earlier version left out, if the name still stands for that model."""
    model = session.get(Model, ref.name, with_for_update=True, populate_existing=True)
    if model is not None and model.digest == ref.digest:
        model.card = {**model.card, "facts": facts}


def list_models(session: Session) -> Sequence[Model]:
    """Return the registered models by name."""
    return session.scalars(select(Model).order_by(Model.name)).all()


def remove_model(session: Session, name: str) -> bool:
    """Forget a model; its files and its jobs stay. False if there was none."""
    return changed(session, delete(Model).where(Model.name == name))
