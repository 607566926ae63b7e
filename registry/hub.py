"""Downloads a model's repository from Hugging Face's hub, or from a mirror of it."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from core.errors import RetryableError, UsageError
from registry.archives import LARGEST_BYTES, MOST_FILES

SCHEME = "hf://"
_REPOSITORY = re.compile(r"hf://([\w.-]+/[\w.-]+?)/?(?:@([\w./-]+))?")
_OFFICIAL = "https://huggingface.co"

# The files of exports, and those that say whose they are. Repositories often hold the same network
# for other programs as well, many times as large.
_WANTED = [
    *("*.yml", "*.yaml", "*.json", "*.pdmodel", "*.pdiparams", "*__model__", "*__params__"),
    *("*.txt", "*LICENSE*", "*README*", "*COPYING*", "*NOTICE*"),
]


@dataclass(frozen=True, slots=True)
class HubRepository:
    """A repository `org/name`, at a branch, tag or commit; None is its main branch."""

    name: str
    revision: str | None = None

    @classmethod
    def parse(cls, address: str) -> "HubRepository":
        """Read `hf://org/name` or `hf://org/name@revision`.

        Raises:
            UsageError: it is not such an address.
        """
        found = _REPOSITORY.fullmatch(address)
        if found is None:
            raise UsageError(
                f"{address!r} names no repository", hint="write hf://org/name or hf://org/name@v1.0"
            )
        return cls(found[1], found[2])


def download_repository(repository: HubRepository, into: Path, *, shows_progress: bool) -> None:
    """Write the files of a repository that an export needs into a directory.

    `HF_ENDPOINT` names a mirror, `HF_TOKEN` opens what is not public. Progress, if shown, is the
    hub's own.

    Raises:
        UsageError: there is no such repository or revision, or it is not public or too large.
        RetryableError: the hub can't be reached, or the disk is full.
    """
    # Few commands need the hub, and its import takes long.
    import httpx  # noqa: PLC0415
    from huggingface_hub import HfApi, errors, snapshot_download  # noqa: PLC0415
    from huggingface_hub.utils.tqdm import disable_progress_bars  # noqa: PLC0415

    if not shows_progress:
        disable_progress_bars()
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or _OFFICIAL
    where = f"{repository.name} at {endpoint}"
    try:
        info = HfApi(endpoint=endpoint).model_info(
            repository.name, revision=repository.revision, files_metadata=True
        )
        _check_limits(where, {file.rfilename: file.size or 0 for file in info.siblings or ()})
        snapshot_download(
            repository.name,
            revision=info.sha,  # the commit that was looked at, whatever is pushed meanwhile
            local_dir=into,
            allow_patterns=_WANTED,
            endpoint=endpoint,
        )
    except errors.RevisionNotFoundError as error:
        raise UsageError(
            f"{where} has no revision {repository.revision!r}",
            hint="name a branch, a tag or a commit of it",
        ) from error
    except errors.GatedRepoError as error:
        raise UsageError(
            f"{where} is not public",
            hint="agree to its terms on its page, and set HF_TOKEN to your access token",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise UsageError(
            f"there is no repository {where}",
            hint="check the name; for a private one set HF_TOKEN to your access token",
        ) from error
    except errors.HFValidationError as error:
        raise UsageError(f"{repository.name!r} cannot be a repository's name: {error}") from error
    except (OSError, httpx.HTTPError) as error:
        raise _unreachable(where, error) from error
    shutil.rmtree(into / ".cache", ignore_errors=True)  # the hub's own notes on its downloads


def _check_limits(where: str, sizes: Mapping[str, int]) -> None:
    wanted = [size for name, size in sizes.items() if any(fnmatch(name, w) for w in _WANTED)]
    if len(wanted) > MOST_FILES or sum(wanted) > LARGEST_BYTES:
        raise UsageError(f"{where} has more than {MOST_FILES:,} files or {LARGEST_BYTES:,} bytes")


def _unreachable(where: str, error: Exception) -> RetryableError:
    said = str(error).partition("\n")[0] or type(error).__name__
    return RetryableError(
        f"{where} cannot be downloaded: {said}",
        hint="check the network, HTTPS_PROXY and HF_ENDPOINT, and that the disk is not full",
    )
