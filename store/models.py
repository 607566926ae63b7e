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

PREVIOUS = "previous"
"""The key of a card under which the model that a name stood for before is: digest, location, and
until when (seconds since the epoch)."""


def add_model(
    session: Session, ref: ModelRef, card: dict[str, Any], *, now: float, replace: bool = False
) -> ModelRef | None:
    """Register a model under its name; return the one that stood there, if this is another.

    With `replace` the name may stand for a model of the same task with another digest: from now on
    it stands for this one. The card keeps where the earlier one is (`PREVIOUS`).

    Raises:
        UsageError: the name is taken by a model with another digest and not replaced, or by one
            for another task.
    """
    what = {
        "task": ref.task,
        "digest": ref.digest,
        "location": ref.location,
        "card": card,
        "added_at": now,
    }
    known = session.get(Model, ref.name, with_for_update=True, populate_existing=True)
    replaced = None
    if known is not None and known.digest != ref.digest:
        _check_replaceable(known, ref, replace=replace)
        replaced = model_ref(known)
        earlier = {"digest": known.digest, "location": known.location, "until": now}
        what["card"] = {**card, PREVIOUS: earlier}
    elif known is not None and PREVIOUS in known.card:
        what["card"] = {**card, PREVIOUS: known.card[PREVIOUS]}
    digest = ref.digest if known is None else known.digest
    statement = new_or_known(session, Model, {"name": ref.name} | what).on_conflict_do_update(
        index_elements=[Model.name], set_=what, where=Model.digest == digest
    )
    if session.scalar(statement.returning(Model.name)) is None:  # somebody was faster
        _check_replaceable(
            session.get_one(Model, ref.name, populate_existing=True), ref, replace=False
        )
    return replaced


def _check_replaceable(known: Model, ref: ModelRef, *, replace: bool) -> None:
    if not replace:
        raise UsageError(
            f"there is a model {ref.name!r} with another digest, {known.digest[:12]}",
            hint=f"--replace lets {ref.name} stand for this one from now on; "
            f"or choose another name, or `regatta models remove {ref.name}` first",
        )
    if known.task != ref.task:
        raise UsageError(
            f"model {ref.name!r} is for the task {known.task!r}, and this one for {ref.task!r}: "
            "what relies on the name could not run it",
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
