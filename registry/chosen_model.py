"""Finds the model that a job runs, from what a person calls it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from config.catalogue import official_models
from core.batching import NetworkTraits
from core.errors import UsageError
from core.export_facts import ExportFacts
from core.near import did_you_mean, near_names
from core.options import SEVERAL, ModelRef
from core.tasks import DETECTOR, KEYPOINT, ROLES, TASKS
from registry.composition import Composition, read_composition
from registry.shipped import shipped_exports, shipped_models
from store.database import Database
from store.models import facts_of_row, list_models, model_ref
from store.tables import Model
from vision.people import people_classes

Finder = Callable[[Database, str | ModelRef], "ChosenModel"]
"""Finds a model by a name, a path, or as another job had it."""

_SETTINGS = {KEYPOINT: frozenset({"people"})}


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """A model that is as it was registered, and the exports that it consists of.

    `exports` are by role; a model that is not composed has the role "". `beside` are the models of
    a job that has several.
    """

    ref: ModelRef
    exports: Mapping[str, ExportFacts] = field(repr=False)
    beside: tuple["ChosenModel", ...] = ()

    @property
    def members(self) -> tuple["ChosenModel", ...]:
        """The models, each of which gives an item a row."""
        return self.beside or (self,)

    @property
    def networks(self) -> Mapping[str, NetworkTraits]:
        """The traits of its networks, which decide their batches, by digest."""
        whole = {member.digest for member in self.ref.members}
        pairs = zip(self.ref.exports, self.exports.values(), strict=True)
        return {ref.digest: facts.traits(is_whole=ref.digest in whole) for ref, facts in pairs}

    @property
    def is_unpaired(self) -> bool:
        """Whether this is a top-down keypoint model that has no detector yet."""
        if self.ref.task != "keypoint" or self.ref.parts:
            return False
        return not self.exports[""].finds_people


def find_models(
    db: Database, names: Sequence[str | ModelRef], *, find: Finder | None = None
) -> list[ChosenModel]:
    """Return the models of registered names, of exported directories, or of another job.

    `find` is `model_in_files` unless it is said.

    Raises:
        UsageError: none is named, there is no such model, or it is not what was registered.
    """
    if not names:
        raise UsageError("no model is named", hint="name one with --model")
    return [(find or model_in_files)(db, name) for name in names]


def complete_models(
    db: Database,
    found: Sequence[ChosenModel],
    *,
    detector: str | ModelRef | None,
    find: Finder | None = None,
) -> ChosenModel:
    """Return the model that these make up, side by side if they are several.

    Top-down keypoint models need a `detector`, named in the same ways, which finds the people.

    Raises:
        UsageError: this version does not run the task of a model, a model and the detector do not
            go together, or two models have the same name.
    """
    finder = None if detector is None else (find or model_in_files)(db, detector)
    chosen = [_complete(model, finder) for model in found]
    if len(chosen) == 1:
        return chosen[0]
    return _side_by_side(chosen)


def _complete(model: ChosenModel, finder: ChosenModel | None) -> ChosenModel:
    """Return the model as it can run, with the detector if it needs one."""
    name = model.ref.name
    if model.is_unpaired:
        if finder is None:
            raise UsageError(
                f"the keypoint model {name!r} looks at one person at a time, and needs a detector "
                "that finds the people",
                hint="add --detector with a detection model's name or directory",
            )
        parts = {DETECTOR: finder, KEYPOINT: model}
        return compose(f"{name}+{finder.ref.name}", KEYPOINT, parts)
    whole = next((task for task in ROLES if _is_part(model.ref.task, task)), None)
    if whole is not None:
        raise UsageError(
            f"model {name!r} is for the task {model.ref.task!r}, a part of {whole} models",
            hint="name its parts in a TOML file, and give that as the model (see docs/models.md)",
        )
    if model.ref.task not in TASKS:
        raise UsageError(
            f"model {name!r} is for the task {model.ref.task!r}",
            hint=f"this version runs {', '.join(TASKS)}",
        )
    return model


def _is_part(task: str, whole: str) -> bool:
    """Return whether models of a task are only of use as parts of models for another."""
    return task not in TASKS and any(role.task == task for role in ROLES[whole])


def _side_by_side(models: Sequence[ChosenModel]) -> ChosenModel:
    names = [model.ref.name for model in models]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"two of the models are called {twice!r}, and rows could not say which is which",
            hint="register them under different names (`regatta models add`)",
        )
    ref = ModelRef.composed(
        ",".join(names), SEVERAL, dict(zip(names, (model.ref for model in models), strict=True))
    )
    exports = {
        f"{model.ref.name}/{role}": export
        for model in models
        for role, export in model.exports.items()
    }
    return ChosenModel(ref, exports, tuple(models))


def compose(
    name: str,
    task: str,
    parts: Mapping[str, ChosenModel],
    settings: Mapping[str, Any] | None = None,
) -> ChosenModel:
    """Return the model that these parts make, by role.

    Raises:
        UsageError: a part is missing, is for another task, or does not go with the others.
    """
    roles = {role.name: role for role in ROLES.get(task, ())}
    if not roles:
        raise UsageError(
            f"no model for the task {task!r} can be composed",
            hint=f"this version composes models for {', '.join(ROLES)}",
        )
    for role, part in parts.items():
        if role not in roles:
            raise UsageError(f"a {task} model has no part {role!r}, only {', '.join(roles)}")
        if part.ref.task != roles[role].task or part.ref.parts:
            raise UsageError(
                f"model {part.ref.name!r} cannot be the {role} of a {task} model: "
                f"it is for the task {part.ref.task!r}, not {roles[role].task!r}"
            )
    missing = [role for role in roles if role not in parts and not roles[role].is_optional]
    if missing:
        raise UsageError(f"a {task} model needs a part {' and a part '.join(missing)}")
    settings = settings or {}
    unknown = sorted(set(settings) - _SETTINGS.get(task, frozenset()))
    if unknown:
        raise UsageError(f"a {task} model has no option {' and no option '.join(unknown)}")
    exports = {role: part.exports[""] for role, part in parts.items()}
    if task == KEYPOINT:
        _check_people(parts[KEYPOINT], exports, settings)
    refs = {role: part.ref for role, part in parts.items()}
    return ChosenModel(ModelRef.composed(name, task, refs, settings), exports)


def choose_composed(
    db: Database, name: str, composition: Composition, *, find: Finder | None = None
) -> ChosenModel:
    """Return the model that a composition describes, under this name.

    Raises:
        UsageError: a part is unknown, or does not go with the others.
    """
    find = find or model_in_files
    parts = {role: find(db, part) for role, part in composition.parts.items()}
    return compose(name, composition.task, parts, composition.options)


def describe(directory: Path) -> ModelRef:
    """Return what an exported directory is, under the name that its export gives it.

    Raises:
        UsageError: the directory is incomplete, or not a model that this version can run.
    """
    from vision.exports.export import export_digest, read_export  # noqa: PLC0415 - OpenCV

    place = directory.resolve()
    export = read_export(place)
    return ModelRef(export.name, export.task, export_digest(place), str(place))


def model_in_files(db: Database, name: str | ModelRef) -> ChosenModel:
    """Return a model by its name, its path, or as another job had it, after a look at its files.

    Raises:
        UsageError: there is no such model, or it is not what was registered.
    """
    if isinstance(name, ModelRef):
        return _as_it_was(db, name)
    known = db.read(lambda s: _registered(s, name))
    if known is not None:
        return _with_exports(known)
    path = Path(name).expanduser()
    if not path.exists():
        path = shipped_models().get(name, path)
    if path.suffix == ".toml" and path.is_file():
        return choose_composed(db, path.stem, read_composition(path))
    if not path.is_dir():
        raise _unknown(name, db.read(list_models))
    return _with_exports(describe(path))


def model_on_record(db: Database, name: str | ModelRef) -> ChosenModel:
    """Return a registered or a shipped model by its name, from what was noted about it.

    No file of a model is opened: whether they are as noted, the worker that loads them finds out.

    Raises:
        UsageError: it is neither, or an earlier version registered it, which noted too little.
    """
    if isinstance(name, ModelRef):
        raise UsageError(f"the model {name.name!r} has no name here", hint="name one with --model")
    row = db.read(lambda s: s.get(Model, name))
    if row is not None:
        facts = facts_of_row(row)
        if facts is None:
            raise UsageError(
                f"an earlier version registered the model {name!r}, which noted too little of it",
                hint=f"register it again: regatta models add {name} {row.location or '...'}",
            )
        return ChosenModel(model_ref(row), facts)
    place = shipped_models().get(name, Path(name))
    if place in (exports := shipped_exports()):
        ref, fact = exports[place]
        return ChosenModel(ref, {"": fact})
    if name in shipped_models():
        return choose_composed(db, name, read_composition(place), find=model_on_record)
    raise _unknown(name, db.read(list_models))


def _unknown(name: str, registered: Iterable[Model]) -> UsageError:
    """Return that there is no such model, and what may have been meant."""
    near = did_you_mean(name, [*(model.name for model in registered), *shipped_models()])
    official = near_names(name, (model.name for model in official_models()))
    hints = []
    if official:
        hints.append(f"`regatta models pull {official[0]}` would download that official model")
    hints.append("`regatta models list` shows the names; a path of an export will do as well")
    meant = f"{near} " if near else ""
    return UsageError(f"there is no model {name!r}", hint=meant + "; ".join(hints))


def _with_exports(ref: ModelRef) -> ChosenModel:
    parts = ref.parts or {"": ref}
    return ChosenModel(ref, {role: _checked(part) for role, part in parts.items()})


def _as_it_was(db: Database, ref: ModelRef) -> ChosenModel:
    """Return a job's model: from its place then, else an equal one of its name."""
    known = db.read(lambda s: _registered(s, ref.name))
    places = [ref, *([known] if known is not None and known.digest == ref.digest else [])]
    for place in reversed(places):
        with suppress(UsageError):
            return _with_exports(place)
    raise UsageError(
        f"the model {ref.name!r} ({ref.digest[:12]}) is no longer there as that job had it",
        hint="put its files back, or name another one with --model",
    )


def _registered(session: Session, name: str) -> ModelRef | None:
    row = session.get(Model, name)
    return None if row is None else model_ref(row)


def _checked(ref: ModelRef) -> ExportFacts:
    """Return what an export is, after checking its files against its digest."""
    from vision.exports.export import export_digest, read_export  # noqa: PLC0415 - OpenCV
    from vision.exports.facts import facts_of  # noqa: PLC0415

    export = read_export(Path(ref.location))
    if export_digest(Path(ref.location)) != ref.digest:
        raise UsageError(
            f"the files of model {ref.name!r} in {ref.location} are not those that were registered",
            hint=f"restore them, or `regatta models remove {ref.name}` and add it again",
        )
    return facts_of(export)


def _why(chosen: ChosenModel) -> str:
    if chosen.ref.parts:
        return "it has what it needs"
    if chosen.ref.task == KEYPOINT:
        return "it finds the people itself"
    return f"it is for the task {chosen.ref.task!r}"


def _check_people(
    keypoint: ChosenModel, exports: Mapping[str, ExportFacts], settings: Mapping[str, Any]
) -> None:
    if not keypoint.is_unpaired:
        raise UsageError(f"model {keypoint.ref.name!r} takes no detector: {_why(keypoint)}")
    people = settings.get("people", [])
    if not isinstance(people, list) or not all(isinstance(label, str) for label in people):
        raise UsageError(
            f"people is {people!r}, not a list of classes", hint='write people = ["rower"]'
        )
    people_classes(exports[DETECTOR].labels, people)
