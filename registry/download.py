"""Downloads models into a directory of this machine, each under its digest."""

import hashlib
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from core.errors import UsageError
from registry.archives import unpack
from registry.cache import incoming, keep
from registry.copies import copy_folder, copy_object
from registry.hub import SCHEME, HubRepository, download_repository
from registry.web import Progress, download, without_secrets
from store.locations import split_location
from store.s3.location import is_s3
from vision.exports.export import export_digest, is_export

_WEB = re.compile("https?://", re.IGNORECASE)
_URL = re.compile("[A-Za-z][A-Za-z0-9+.-]*://")
_ARCHIVE = re.compile(r"\.(tar|tar\.gz|tgz|tar\.bz2|tar\.xz|zip)$", re.IGNORECASE)
_SHA256 = re.compile("[0-9a-f]{64}")
_MOST_NAMED = 5


def download_model(
    source: str, models: Path, *, sha256: str | None, progress: Progress, shows_progress: bool
) -> Path:
    """Return the local directory of a model's export, after downloading it if needed.

    A local directory is returned as it is. A local archive, what lies at an http(s):// or s3://
    address, and a repository of the hub go to `models/<digest>/<name>`: complete or not at all, and
    what is there already is not written again.

    Args:
        source: A path, or a URL with one of these schemes, `hf://` or `file://`.
        models: The directory for downloaded models; created if needed.
        sha256: The digest that the archive, or a directory's model, must have; None checks nothing.
        progress: Called with the number of bytes received.
        shows_progress: Whether the hub, which has bars of its own, may show them.

    Raises:
        UsageError: it does not exist, can't be downloaded, is damaged, has another digest than
            `sha256`, or holds no export, or several.
        RetryableError: where it comes from can't be reached, or the disk is full.
    """
    expected, shown = _digest_of(sha256), without_secrets(source)
    if not _URL.match(source) or source.lower().startswith("file://"):
        path = _local(source)
        if not path.is_file():
            digest = export_digest(path)
            if expected is not None:
                _compare(expected, digest, "the model in", source)
            return path
        source = shown = str(path)
    with incoming(models) as folder:
        content = folder / "content" / (_name_of(source) or "model")
        content.mkdir(parents=True)
        if (archive := _archive(source, folder / "archive", progress)) is not None:
            if expected is not None:
                _compare(expected, _sha256(archive), "the archive", shown)
            unpack(archive, content, name=shown)
        elif is_s3(source):
            copy_folder(source, content, progress=progress)
        else:
            repository = HubRepository.parse(source)
            download_repository(repository, content, shows_progress=shows_progress)
        export = _the_export(content, shown)
        try:
            digest = export_digest(export)
        except UsageError as error:  # of a directory that is about to be removed
            said = str(error).replace(str(content), shown)
            raise UsageError(said, hint=error.hint) from error
        if archive is None and expected is not None:
            _compare(expected, digest, "the model at", source)
        return keep(export, models, digest)


def _archive(source: str, to: Path, progress: Progress) -> Path | None:
    """Return a source's archive on this machine, or None if the source is a directory."""
    if _WEB.match(source):
        download(source, to, progress=progress)
        return to
    if is_s3(source):
        if not _ARCHIVE.search(source):
            return None
        copy_object(source, to, progress=progress)
        return to
    if source.lower().startswith(SCHEME):
        return None
    return _local(source)


def _local(source: str) -> Path:
    """Return the path of a source without a scheme or with `file://`; refuse other schemes."""
    if _URL.match(source):
        return Path(*split_location(source.rstrip("/")))
    return Path(source).expanduser()


def _name_of(source: str) -> str:
    """Return a name for the directory of a model whose archive has none of its own."""
    path = source if _URL.match(source) is None else unquote(urlsplit(source).path)
    name = _ARCHIVE.sub("", path.rstrip("/").rpartition("/")[2].partition("@")[0])
    return re.sub(r"[^\w.+-]", "_", name).strip(".")[:100]


def _the_export(content: Path, shown: str) -> Path:
    folders = [content, *(path for path in sorted(content.rglob("*")) if path.is_dir())]
    found = [folder for folder in folders if is_export(folder)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(str(path.relative_to(content)) for path in found[:_MOST_NAMED])
        raise UsageError(
            f"{shown} holds {len(found)} models: {names}",
            hint="unpack it and add the directory of the one that you mean",
        )
    files = [
        str(path.relative_to(content)) for path in sorted(content.rglob("*")) if path.is_file()
    ]
    held = ", ".join(files[:_MOST_NAMED]) or "nothing"
    raise UsageError(
        f"{shown} holds no exported model; it holds {held}",
        hint="what is needed is the output of the Paddle tool's export script, with infer_cfg.yml, "
        "deploy.yaml or inference.yml; training checkpoints will not do",
    )


def _digest_of(sha256: str | None) -> str | None:
    if sha256 is None:
        return None
    digest = sha256.strip().lower().removeprefix("sha256:")
    if not _SHA256.fullmatch(digest):
        raise UsageError(f"{sha256!r} is not a SHA-256", hint="it has 64 hexadecimal digits")
    return digest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compare(expected: str, found: str, what: str, source: str) -> None:
    if expected != found:
        raise UsageError(
            f"{what} {source} has the SHA-256 {found}, not {expected}",
            hint="it is another version, or was tampered with: check where the digest comes from",
        )
