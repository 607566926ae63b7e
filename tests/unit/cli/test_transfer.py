import pytest

from cli.show import transfer as module
from cli.show.transfer import transfer


def test_nobody_looks_on(capsys: pytest.CaptureFixture[str]) -> None:
    with transfer("a.tar"):
        pass
    assert capsys.readouterr().err == "", "nothing had to come"
    with transfer("a.tar") as progress:
        for done in range(0, 2001, 500):
            progress(done, 2000)
    assert capsys.readouterr().err == "getting a.tar (2,000 bytes)\n"
    with transfer("a\x1b[31m.tar") as progress:
        progress(1, None)
    said = capsys.readouterr().err
    assert said.startswith("getting a")
    assert "\x1b" not in said


def test_on_a_terminal_a_bar_moves_and_goes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "is_shown", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with transfer("a.tar"):
        pass
    assert capsys.readouterr().err == "", "nothing had to come"
    with transfer("https://host/[bold]a.tar") as progress:
        progress(1_000_000, 4_000_000)
    captured = capsys.readouterr()
    assert "[bold]a.tar" in captured.err
    assert "https" not in captured.err
    assert "1.0/4.0 MB" in captured.err
    assert captured.out == ""
