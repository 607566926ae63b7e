"""Environment variables that look like settings but are none."""

from collections.abc import Mapping

from config.settings import Settings
from core.near import near_names

PREFIX = "REGATTA_"

# What other parts read: the settings file's place, the pipe to a supervisor, the file for compose,
# the Makefile and the tests.
_OTHERS = ("CONFIG", "HEARTBEAT_FD", "DATA", "MODELS", "GPU_BASE", "GPU_PYTHON")
_OF_TESTS = ("REFERENCE", "EXPORTS", "PADDLEDETECTION", "PADDLESEG")

# Kubernetes describes a service called `regatta` to every container in such variables.
_OF_KUBERNETES = ("PORT", "SERVICE_")


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence about each `REGATTA_*` variable that nothing reads."""
    fields = [name.upper() for name in Settings.model_fields]
    known = {*fields, *_OTHERS, *_OF_TESTS}
    names = sorted(name.removeprefix(PREFIX) for name in environ if name.startswith(PREFIX))
    found = []
    for name in names:
        if name in known or name.startswith(_OF_KUBERNETES):
            continue
        near = near_names(name, fields, most=1)
        guess = f"did you mean {PREFIX}{near[0]}?" if near else "see docs/settings.md"
        found.append(f"{PREFIX}{name} is no setting and has no effect; {guess}")
    return found
