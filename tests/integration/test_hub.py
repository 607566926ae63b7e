"""A hub that answers as Hugging Face's does, as far as one repository needs it."""

import hashlib
import json
from pathlib import Path

import pytest

from core.errors import RegattaError, RetryableError, UsageError
from registry import hub
from registry.hub import HubRepository, download_repository
from tests.buckets.server import free_port
from tests.web import Page, Web, files_in

COMMIT = "c0ffee" * 6 + "beef"
FILES = {
    "README.md": b"---\nlicense: apache-2.0\n---\n",
    "inference.yml": b"arch: YOLO\nlabel_list: [boat]\nPreprocess: [{type: Permute}]\n",
    "inference.json": b"{}",
    "inference.pdiparams": bytes(range(256)) * 1000,
    "pytorch_model.safetensors": b"not wanted" * 1000,
}
REFUSED = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}


def asked_for(name: str, revision: str | None = None) -> str:
    return f"/api/models/{name}{f'/revision/{revision}' if revision else ''}?blobs=true"


def serve(web: Web, name: str = "boats/yolo", revision: str | None = None) -> None:
    siblings = [{"rfilename": file, "size": len(data)} for file, data in FILES.items()]
    info = {"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings}
    tree = [
        {"type": "file", "path": file, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}  # noqa: S324 - git's
        for file, data in FILES.items()
    ]
    web.pages[asked_for(name, revision)] = page(info)
    web.pages[f"/api/models/{name}/tree/{COMMIT}?recursive=true&expand=false"] = page(tree)
    for file, data in FILES.items():
        headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT}  # noqa: S324
        web.pages[f"/{name}/resolve/{COMMIT}/{file}"] = Page(data, headers=headers)


def page(value: object) -> Page:
    return Page(json.dumps(value).encode(), headers={"Content-Type": "application/json"})


@pytest.fixture(autouse=True)
def mirror(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"{web.url}/")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_TOKEN", raising=False)


def get(address: str, into: Path) -> dict[str, bytes]:
    into.mkdir(exist_ok=True)
    download_repository(HubRepository.parse(address), into, shows_progress=False)
    return files_in(into)


def refusal(address: str, into: Path, kind: type[RegattaError] = UsageError) -> RegattaError:
    with pytest.raises(kind) as caught:
        get(address, into)
    return caught.value


def test_what_an_export_needs_of_a_repository(web: Web, tmp_path: Path) -> None:
    serve(web)
    found = get("hf://boats/yolo", tmp_path / "into")
    assert found == {name: data for name, data in FILES.items() if "safetensors" not in name}
    assert not any("safetensors" in asked for asked in web.asked)


def test_a_revision(web: Web, tmp_path: Path) -> None:
    serve(web, revision="v1.0")
    assert "inference.yml" in get("hf://boats/yolo@v1.0", tmp_path / "into")
    web.pages[asked_for("boats/yolo", "v2")] = Page(
        status=404, headers={"X-Error-Code": "RevisionNotFound"}
    )
    assert "no revision 'v2'" in str(refusal("hf://boats/yolo@v2", tmp_path / "other"))


def test_what_the_hub_refuses(web: Web, tmp_path: Path) -> None:
    path = asked_for("boats/yolo")
    web.pages[path] = Page(status=404, headers=REFUSED)
    error = refusal("hf://boats/yolo", tmp_path / "into")
    assert "there is no repository boats/yolo" in str(error)
    assert "HF_TOKEN" in (error.hint or "")
    web.pages[path] = Page(status=403, headers={"X-Error-Code": "GatedRepo"})
    error = refusal("hf://boats/yolo", tmp_path / "into")
    assert "not public" in str(error)
    assert "HF_TOKEN" in (error.hint or "")


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    error = refusal("hf://boats/yolo", tmp_path / "into", RetryableError)
    assert "cannot be downloaded" in str(error)
    assert "HF_ENDPOINT" in (error.hint or "")


def test_too_much(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(web)
    monkeypatch.setattr(hub, "LARGEST_BYTES", 1000)
    assert "1,000 bytes" in str(refusal("hf://boats/yolo", tmp_path / "into"))
    assert not any("resolve" in asked for asked in web.asked)


@pytest.mark.parametrize(
    ("address", "repository"),
    [
        ("hf://a/b", HubRepository("a/b")),
        ("hf://a/b/", HubRepository("a/b")),
        (
            "hf://PaddlePaddle/PP-OCRv5_rec@refs/pr/1",
            HubRepository("PaddlePaddle/PP-OCRv5_rec", "refs/pr/1"),
        ),
    ],
)
def test_addresses(address: str, repository: HubRepository) -> None:
    assert HubRepository.parse(address) == repository


@pytest.mark.parametrize("address", ["hf://", "hf://a", "hf://a/b/c", "hf://a/b@", "hf://a b/c"])
def test_no_addresses(address: str) -> None:
    with pytest.raises(UsageError, match="names no repository"):
        HubRepository.parse(address)
