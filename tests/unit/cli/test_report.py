import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import cv2
import numpy as np
import pytest

from cli.show.summary import summary
from config.settings import load_settings
from core.work import Hold
from report.snapshot import snapshot
from store.parts import encode_rows
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta
from tests.unit.cli.test_results import broken, found


@pytest.fixture
def job(bench: Bench) -> Hold:
    """Job `abc`: one part is committed, another is still to come."""
    bench.job("abc", [3, 1])
    hold = bench.run("abc")
    output = bench.output("abc")
    done, data = cv2.imencode(".jpg", np.full((30, 40, 3), 90, np.uint8))
    assert done
    output.put("annotated/a%20.jpg.jpg", bytes(data))
    rows = [found(0, "a%20.jpg", 0, 1), broken(1, "<b>\n.jpg"), found(2, "gone.jpg", 1)]
    output.put("results/part-000000.parquet", encode_rows(rows))
    bench.clock.now += 8
    bench.commit(hold, quarantined=1)
    bench.publish(hold)
    return hold


def written(regatta: Regatta, *words: str) -> tuple[Path, str]:
    result = regatta("report", *words)
    assert result.exit_code == 0, result.stderr
    path = Path(unquote(urlsplit(result.stdout.strip()).path))
    return path, path.read_text(encoding="utf-8")


def test_the_page_lies_beside_the_results_and_links_to_the_pictures(
    bench: Bench, regatta: Regatta, job: Hold
) -> None:
    path, page = written(regatta, "abc")
    assert path == bench.root / "abc" / "report.html"
    [href] = re.findall(r'href="([^"]+)" data-zoom', page)
    assert (path.parent / unquote(href)).is_file()
    assert page.count("data:image/jpeg;base64,") == 1
    assert "has not ended yet" in page
    assert "&lt;b&gt;\\n.jpg" in page
    assert "decode_failed: no\\x07pe" in page


def test_elsewhere_it_links_to_the_pictures_where_they_are(
    bench: Bench, regatta: Regatta, job: Hold
) -> None:
    (bench.root / "sub").mkdir()
    path, page = written(regatta, "abc", "--output", "sub/my report.html")
    assert path == bench.root / "sub" / "my report.html"
    [href] = re.findall(r'href="([^"]+)" data-zoom', page)
    assert href == "../abc/annotated/a%2520.jpg.jpg"
    assert (path.parent / unquote(href)).is_file()
    bench.root.joinpath("moved").mkdir()
    for folder in ("abc", "sub"):
        (bench.root / folder).rename(bench.root / "moved" / folder)
    assert (bench.root / "moved" / "sub" / unquote(href)).is_file()


def test_an_output_that_is_gone_is_named(bench: Bench, regatta: Regatta, job: Hold) -> None:
    (bench.root / "abc").rename(bench.root / "moved")
    result = regatta("report", "abc", "--output", "report.html")
    assert result.exit_code == 1
    assert f"results/part-000000.parquet is missing in {bench.root / 'abc'}" in result.stderr


def test_a_directory_gets_the_page_and_a_missing_one_is_refused(
    bench: Bench, regatta: Regatta, job: Hold
) -> None:
    (bench.root / "pages").mkdir()
    for words in ("pages", "pages/"):
        assert written(regatta, "abc", "-o", words)[0] == bench.root / "pages" / "report.html"
    refused = regatta("report", "abc", "-o", "nowhere/page.html")
    assert refused.exit_code == 2
    assert "there is no directory 'nowhere'" in refused.stderr
    assert not (bench.root / "nowhere").exists()


def test_a_job_without_any_result_has_a_page(bench: Bench, regatta: Regatta) -> None:
    bench.job("new", [2])
    _, page = written(regatta, "new")
    assert "Nothing was found so far." in page


def test_the_summary_of_a_run_names_the_report(bench: Bench, regatta: Regatta, job: Hold) -> None:
    text = list(summary(bench.db, snapshot(bench.db, load_settings(), "abc")))
    assert "  regatta report abc" in text[text.index("Next:") :]


def test_it_opens_in_the_browser_when_asked(
    regatta: Regatta, job: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)))
    result = regatta("report", "abc", "--open")
    assert opened == [result.stdout.strip()]
    assert "no browser could be opened" in result.stderr
    written(regatta, "abc")
    assert len(opened) == 1


@pytest.mark.parametrize("words", [["nothing"], ["abc", "--output", "somewhere/"]])
def test_what_cannot_be_reported_is_said(regatta: Regatta, job: Hold, words: list[str]) -> None:
    result = regatta("report", *words)
    assert result.exit_code == 2
    assert "error: " in result.stderr
