"""What it means for others that a model's name stands for another model now."""

from collections.abc import Iterator
from contextlib import suppress

from core.errors import NewerError
from core.options import ModelRef
from core.states import ENDED_JOBS, JobState
from store.database import Database
from store.jobs import list_jobs
from store.models import list_models, model_ref
from store.schedules import definition_of, list_schedules


def consequences_of(db: Database, ref: ModelRef, replaced: ModelRef) -> list[str]:
    """Return what people should know once a name stands for `ref` instead of `replaced`."""
    jobs = _jobs_with(db, replaced)
    them = "needs" if len(jobs) == 1 else "need"
    was = f"model {ref.name} was {replaced.digest[:12]} before"
    if replaced.parts:
        lines = [f"model {ref.name} was made of other parts before ({replaced.digest[:12]})"]
    elif replaced.location == ref.location:
        lines = [f"{was}, whose files in {ref.location} were overwritten: it is gone"]
        if jobs:
            lines.append(
                f"warning: {', '.join(jobs)} {them} those files, and can't go on without them: put "
                "them back and add the new model from another folder, or cancel"
            )
    else:
        again = f"regatta models add {ref.name} {replaced.location} --replace"
        lines = [f"{was}; to go back: {again}"]
    if jobs and len(lines) == 1:
        lines.append(f"{', '.join(jobs)} {'keeps' if len(jobs) == 1 else 'keep'} the earlier one")
    if scheduled := schedules_with(db, ref.name):
        takes = "takes" if len(scheduled) == 1 else "take"
        lines.append(f"{', '.join(scheduled)} {takes} the new one at the next fire")
    for name in _made_of(db, replaced):
        if name != ref.name:
            lines.append(
                f"model {name} still has the earlier {ref.name} as a part: "
                "add it again with --replace"
            )
    return lines


def schedules_with(db: Database, name: str) -> list[str]:
    """Return the schedules that name a model, as `schedule nightly`."""
    found = []
    for row in db.read(list_schedules):
        with suppress(NewerError):  # what a newer version's schedule names can't be told
            terms = definition_of(row).request.terms
            if name in (*terms.model, terms.detector):
                found.append(f"schedule {row.name}")
    return found


def _jobs_with(db: Database, replaced: ModelRef) -> list[str]:
    """Return the jobs that have not ended and run a model, as `job 4k2...`."""
    found = []
    for job in db.read(lambda s: list_jobs(s, states=set(JobState) - ENDED_JOBS)):
        with suppress(NewerError):  # what a newer version's job runs can't be told
            if replaced.digest in _digests(ModelRef.from_json(job.model)):
                found.append(f"job {job.id}")
    return found


def _digests(model: ModelRef) -> Iterator[str]:
    yield model.digest
    for part in model.parts.values():
        yield from _digests(part)


def _made_of(db: Database, replaced: ModelRef) -> Iterator[str]:
    for model in db.read(list_models):
        if any(part.digest == replaced.digest for part in model_ref(model).parts.values()):
            yield model.name
