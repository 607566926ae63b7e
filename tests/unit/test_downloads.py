import logging
from pathlib import Path

import pytest

from core.errors import RegattaError, RetryableError, UsageError
from registry import web as web_server
from registry.web import download, without_secrets
from tests.buckets.server import free_port
from tests.web import Page, Web


def nothing(done: int, total: int | None) -> None:
    del done, total


def refusal(url: str, to: Path, kind: type[RegattaError] = UsageError) -> RegattaError:
    with pytest.raises(kind) as caught:
        download(url, to, progress=nothing)
    assert "secret" not in str(caught.value)
    return caught.value


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_an_empty_file(web: Web, to: Path) -> None:
    web.pages["/a"] = Page()
    download(f"{web.url}/a", to, progress=nothing)
    assert to.read_bytes() == b""


def test_bytes_come_as_they_are_and_are_counted(web: Web, to: Path) -> None:
    body = bytes(range(256)) * 3000
    # Not what these bytes are: whoever believes it fails.
    web.pages["/a.tar.gz?x=1"] = Page(body, headers={"Content-Encoding": "gzip"})
    seen: list[tuple[int, int | None]] = []
    download(f"{web.url}/a.tar.gz?x=1", to, progress=lambda *told: seen.append(told))
    assert to.read_bytes() == body
    assert seen[-1] == (len(body), len(body))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_redirections_are_followed(web: Web, to: Path) -> None:
    web.pages["/a"] = Page(status=302, headers={"Location": "/b"})
    web.pages["/b"] = Page(b"here")
    download(f"{web.url}/a", to, progress=nothing)
    assert to.read_bytes() == b"here"


def test_but_not_out_of_the_web(web: Web, to: Path) -> None:
    web.pages["/a"] = Page(status=302, headers={"Location": "file:///etc/passwd"})
    assert "not a web address" in str(refusal(f"{web.url}/a", to))


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (404, "nothing at", UsageError),
        (403, "not public", UsageError),
        (503, "said 503", RetryableError),
    ],
)
def test_what_the_server_refuses(
    web: Web, to: Path, status: int, said: str, kind: type[RegattaError]
) -> None:
    web.pages["/a?signature=secret"] = Page(status=status)
    error = refusal(f"{web.url}/a?signature=secret", to, kind)
    assert said in str(error)
    assert error.hint
    assert not to.exists()


def test_a_connection_that_breaks_off(web: Web, to: Path) -> None:
    web.pages["/a"] = Page(b"x" * 1000, sent=400)
    error = refusal(f"{web.url}/a", to, RetryableError)
    assert "cannot be downloaded" in str(error)
    assert "give its path" in (error.hint or "")


def test_nobody_listens(to: Path) -> None:
    error = refusal(f"http://user:secret@127.0.0.1:{free_port()}/a?key=secret", to, RetryableError)
    assert "cannot be downloaded" in str(error)
    assert "HTTPS_PROXY" in (error.hint or "")


@pytest.mark.parametrize("is_sized", [True, False])
def test_too_large(web: Web, to: Path, monkeypatch: pytest.MonkeyPatch, is_sized: bool) -> None:
    monkeypatch.setattr(web_server, "LARGEST_BYTES", 100)
    web.pages["/a"] = Page(b"x" * 101, is_sized=is_sized)
    assert "larger than 100" in str(refusal(f"{web.url}/a", to))


def test_what_is_shown_of_an_address() -> None:
    assert without_secrets("https://u:p@host:8/a%20b?s=1#x") == "https://host:8/a%20b"
    assert without_secrets("/home/me/what?.tar") == "/home/me/what?.tar"


def test_no_log_has_the_secrets_of_an_address(
    web: Web, to: Path, caplog: pytest.LogCaptureFixture
) -> None:
    web.pages["/a?key=secret"] = Page(b"x")
    with caplog.at_level(logging.INFO):
        download(f"{web.url}/a?key=secret", to, progress=nothing)
    assert "secret" not in caplog.text
