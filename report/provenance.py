"""Where a job's results come from: enough to reproduce them."""

import dataclasses
from typing import Any

from core.kinds import NEED_ENGINE
from core.options import ModelRef
from core.profile import ExecutionProfile
from core.times import iso
from report.text import moment
from store.jobs import source_texts
from store.tables import Job

Facts = dict[str, str]


def provenance(job: Job) -> dict[str, Facts]:
    """Return names and values, in groups, as a page lists them."""
    return {
        "Job": _facts(
            {
                "id": job.id,
                "name": job.name,
                "source": source_texts(job),
                "output": job.output,
                "created": moment(iso(job.created_at)),
                "started": moment(iso(job.started_at)),
                "finished": moment(iso(job.finished_at)),
                "generation": job.generation,
                "tags": job.tags,
                "regatta": job.version,
            }
        ),
        **_models("Model", ModelRef.from_json(job.model)),
        **_engines(job),
        "Options": _facts(job.options),
        "Selection": _selection(job) or {"items": "all of the source"},
    }


def _selection(job: Job) -> Facts:
    chosen = {name: value for name, value in job.selection.items() if name != "sources"}
    prefixes = {f"source {name}": text for name, text in job.selection.get("sources", ())}
    return _facts({**chosen, **prefixes})


def _engines(job: Job) -> dict[str, Facts]:
    """List the engines that the job is frozen to and those it was moved from, by profile number."""
    groups = {
        f"Engine of profile {number}": _engine(profile)
        for number, profile in enumerate(job.past_profiles)
    }
    if job.kind not in NEED_ENGINE:
        return {"Engine": _facts({"profile": "none: no network ran"})}
    if job.profile is None:
        return {**groups, "Engine": _facts({"profile": "not chosen yet"})}
    last = {"profile": str(len(groups))} if groups else {}
    return {**groups, "Engine": {**last, **_engine(job.profile)}}


def _engine(profile: dict[str, Any]) -> Facts:
    frozen = ExecutionProfile.from_json(profile)
    facts = {
        field.name: getattr(frozen, field.name)
        for field in dataclasses.fields(frozen)
        if field.name != "networks"
    }
    networks = {
        f"network {digest[:12]}": f"{said['way']}: {said['why']}" if said["why"] else said["way"]
        for digest, said in profile.get("networks", {}).items()
    }
    offers = {
        f"engine of {digest[:12]}": network.offer.key
        for digest, network in frozen.networks.items()
        if network.offer != frozen.offer
    }
    return _facts(facts | networks | offers)


def _models(title: str, ref: ModelRef) -> dict[str, Facts]:
    """Return a model, and below it the models that it consists of."""
    own = {"name": ref.name, "task": ref.task, "digest": ref.digest, "location": ref.location}
    groups = {title: _facts({**own, **ref.settings})}
    for role, part in ref.parts.items():
        groups |= _models(f"{title}: {role}", part)
    return groups


def _facts(values: dict[str, Any]) -> Facts:
    """Return what was chosen, in words, without what was left open."""
    words = {name.replace("_", " "): _word(value) for name, value in values.items()}
    return {name: word for name, word in words.items() if word}


def _word(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
