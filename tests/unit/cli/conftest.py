from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from cli.main import cli
from tests.bench import Bench

Regatta = Callable[..., Result]

CONFIG = {
    "arch": "YOLO",
    "draw_threshold": 0.4,
    "label_list": ["boat", "buoy"],
    "Preprocess": [
        {"type": "Resize", "target_size": [64, 64], "keep_ratio": False, "interp": 2},
        {"type": "Permute"},
    ],
}


@pytest.fixture
def bench(sqlite_bench: Bench) -> Bench:
    """On SQLite: the database is where its home says, and commands never ask which it is."""
    return sqlite_bench


@pytest.fixture
def regatta(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Regatta:
    """Runs a command on the bench's database, whose folder is the home."""
    monkeypatch.setenv("REGATTA_HOME", str(bench.root))
    monkeypatch.chdir(bench.root)

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, words)

    return run


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An exported model with everything but a network, which submitting never loads."""
    folder = tmp_path / "exported"
    folder.mkdir()
    (folder / "infer_cfg.yml").write_text(yaml.safe_dump(CONFIG))
    (folder / "model.json").write_text("{}")
    (folder / "model.pdiparams").write_bytes(b"weights")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of three things that look like images, a film and a text."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.jpg", "b.JPG", "c.png", "film.mp4", "readme.txt"):
        (folder / name).write_bytes(b"12345")
    return folder
