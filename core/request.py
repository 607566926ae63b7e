"""A job as a person asks for it: only what was said, without any defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from core import notices, tasks
from core.errors import NewerError, UsageError
from core.option import OPTION, Kind, Option, option, options_of
from core.options import (
    DrawOptions,
    JobOptions,
    Limits,
    ModelRef,
    PlanOptions,
    RowOptions,
    annotating,
)
from core.selection import Selection
from core.slicing import Slicing
from core.values import parse_since, plain_value, read_value

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Terms:
    """What to run, where the results go, and what the job is called.

    `model` is one model or several, which run side by side: names, paths, or the exact models of
    another job. `detector` finds the people for models that need it. `since_job` is a job whose
    results are taken over where nothing has changed since.
    """

    model: tuple[str | ModelRef, ...] = option(
        "model",
        (),
        "The name of a registered or shipped model, or the path of an export; give several, and "
        "each image is decoded once for all of them.",
        kind=Kind.MODEL,
        short="m",
        is_repeated=True,
    )
    detector: str | ModelRef | None = option(
        "detector",
        None,
        "A detection model that finds the people for a keypoint model.",
        kind=Kind.MODEL,
        heeded_by=(tasks.UNPAIRED,),
    )
    output: str | None = option(
        "output",
        None,
        "Where results and pictures go.",
        kind=Kind.PLACE,
        short="o",
        otherwise="in the home",
    )
    name: str | None = option("name", None, "What to call the job.", otherwise="the source's name")
    priority: int = option(
        "priority",
        5,
        "Higher goes first; each step doubles a job's share.",
        kind=Kind.WHOLE,
        least=0,
        most=9,
    )
    tag: tuple[str, ...] = option("tag", (), "A word by which to find the job.", is_repeated=True)
    notify: tuple[str, ...] = option(
        "notify",
        (),
        "A webhook that is told when the job has ended: https://host/path.",
        metavar="URL",
        is_repeated=True,
        is_later=True,
    )
    notify_on: str = option(
        "notify-on",
        notices.FINISH,
        "Tell whenever it ends, or only if it failed or left items in quarantine.",
        choices=(notices.FINISH, notices.FAILURE),
        is_later=True,
    )
    notify_secret_env: str | None = option(
        "notify-secret-env",
        None,
        "The variable in the scheduler's environment that holds the secret to sign webhooks with.",
        metavar="NAME",
        is_later=True,
    )
    notify_command: str | None = option(
        "notify-command",
        None,
        "A command that the scheduler runs, without a shell, when the job has ended.",
        metavar="COMMAND",
        is_later=True,
    )
    since_job: str | None = option(
        "since-job",
        None,
        "Do only what is new or has changed since this job, and carry over its other results.",
        metavar="JOB",
        otherwise="do everything",
        is_later=True,
    )
    redo_on: tuple[str, ...] = option(
        "redo-on",
        (),
        "Do an item again for this reason, too: it would run on another engine now.",
        choices=("engine",),
        is_repeated=True,
        needs="since_job",
        is_later=True,
    )


OPTIONS: Mapping[str, Option] = {
    each.key: each
    for each in options_of(Terms, Selection, RowOptions, Slicing, DrawOptions, PlanOptions, Limits)
}
"""All options of a job, by their Python names, in the order of the help."""

Said = Mapping[str, Any]
"""Values of options by their names in `OPTIONS`; missing ones were left open."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job over one or several `sources`; settings or the model decide what `said` leaves open.

    `inherited` names what was not typed for this job but taken over, for example from another job:
    if nothing in the job heeds it, it is dropped rather than refused.
    """

    sources: tuple[str, ...]
    said: Said = field(default_factory=dict)
    inherited: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, source: str | tuple[str, ...], *models: str | ModelRef, **said: Any
    ) -> "JobRequest":
        """Return a request for these models; values of None are left open."""
        sources = (source,) if isinstance(source, str) else source
        given = {name: value for name, value in said.items() if value is not None}
        return cls(sources, {"model": models, **given} if models else given)

    @property
    def terms(self) -> Terms:
        """Return what was said about what runs and what the job is called."""
        return Terms(**self._about(Terms))

    def selection(self) -> Selection:
        """Return the item filters; ages count back from now."""
        said = self._about(Selection)
        if isinstance(said.get("since"), str):
            said["since"] = parse_since(said["since"])
        return Selection(**said)

    def options(self, **settings: Any) -> JobOptions:
        """Return the job's options; `settings` fill in what was left open, if given."""
        held = {name: value for name, value in settings.items() if value is not None}
        held |= {name: value for name, value in self.said.items() if name not in _OF_SLICING}
        if "slice" in self.said:
            width, height = self.said["slice"]
            held["slicing"] = Slicing(width, height, **self._about(Slicing))
        if "annotate" in self.said:
            held |= annotating(self.said["annotate"])
        return JobOptions.of(**held)

    def but(self, **said: Any) -> "JobRequest":
        """Return the same request with more said, as if typed."""
        return replace(self, said={**self.said, **said}, inherited=self.inherited.difference(said))

    def without(self, name: str) -> "JobRequest":
        """Return the same request with one option left open."""
        return replace(self, said={k: v for k, v in self.said.items() if k != name})

    def check(self) -> None:
        """Refuse values that no job could have.

        Raises:
            UsageError: a number is out of bounds, or a name is not printable.
            TypeError: there is no such option.
        """
        for name, value in self.said.items():
            if name not in OPTIONS:
                raise TypeError(f"no option {name!r}")
            each = OPTIONS[name]
            for one in value if each.is_repeated else (value,):
                each.check(one)
                if name in {"name", "tag"}:
                    _check_line(name, one)
        notices.check_notices(self.said)
        smallest, largest = self.said.get("min_size", 0), self.said.get("max_size", float("inf"))
        if smallest > largest:
            raise UsageError("--min-size is above --max-size: nothing would be left")

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for a database."""
        said = {name: plain_value(value) for name, value in self.said.items()}
        source = self.sources[0] if len(self.sources) == 1 else list(self.sources)
        return {"source": source, **said}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobRequest":
        """Read what `to_json` wrote.

        Raises:
            NewerError: a newer version wrote it.
        """
        unknown = sorted(data.keys() - {"source", *OPTIONS})
        if unknown:
            raise NewerError(", ".join(f"option {name!r}" for name in unknown))
        said = {}
        for name, each in OPTIONS.items():
            if name in data:
                try:
                    said[name] = read_value(each, data[name])
                except ValueError as error:
                    raise NewerError(f"option {name!r} of which {error}") from error
        source = data["source"]
        return cls((source,) if isinstance(source, str) else tuple(source), said)

    def _about(self, kind: type[Any]) -> dict[str, Any]:
        names = [each.name for each in fields(kind) if OPTION in each.metadata]
        return {name: self.said[name] for name in names if name in self.said}


_OF_SLICING = {"slice", *(each.key for each in options_of(Slicing))}


def _check_line(what: str, text: str) -> None:
    if not text.strip() or not text.isprintable() or len(text) > _LONGEST_NAME:
        raise UsageError(
            f"{text[:_LONGEST_NAME]!r} cannot be a {what}",
            hint=f"use 1 to {_LONGEST_NAME} printable characters",
        )
