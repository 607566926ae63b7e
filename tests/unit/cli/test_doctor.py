import json
from pathlib import Path
from typing import Any

import pytest

from cli import checks
from tests.bench import Bench
from tests.unit.cli.conftest import Regatta


@pytest.fixture(autouse=True)
def paddle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the real one takes seconds, and its version is not this test's business."""
    monkeypatch.setattr(
        checks, "_PADDLE", "import json; print(json.dumps({'version': '3.2.2', 'gpu': False}))"
    )


def findings(regatta: Regatta, code: int) -> dict[str, dict[str, Any]]:
    result = regatta("doctor", "--format", "json")
    assert result.exit_code == code, result.output
    return {found["check"]: found for found in json.loads(result.stdout)}


def test_a_healthy_home(bench: Bench, regatta: Regatta) -> None:
    found = findings(regatta, 0)
    assert {name for name, each in found.items() if each["ok"] is False} == set()
    assert found["database"]["found"].endswith("is at revision 0001")
    assert found["paddle"]["found"] == "paddlepaddle 3.2.2, for CPUs"
    assert list((bench.root / "outputs").iterdir()) == []


def test_a_new_home_is_no_failure(
    bench: Bench, regatta: Regatta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGATTA_HOME", str(bench.root / "new"))
    found = findings(regatta, 0)
    assert found["database"]["ok"] is None
    assert not (bench.root / "new" / "regatta.db").exists()


def test_each_failure_says_how_to_mend_it(
    bench: Bench, regatta: Regatta, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "empty.db").touch()
    monkeypatch.setenv("REGATTA_DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    monkeypatch.setenv("REGATTA_BROKER_URL", f"redis+socket://{tmp_path / 'nobody.sock'}")
    monkeypatch.setenv("REGATTA_OBJECTS", str(tmp_path / "file" / "objects"))
    monkeypatch.setattr(checks, "_LOW_DISK_BYTES", 10**18)
    monkeypatch.setattr(checks, "_PADDLE", "import no_such_module")
    found = findings(regatta, 1)
    failed = {name for name, each in found.items() if each["ok"] is False}
    assert failed == {"database", "broker", "objects", "disk", "paddle"}
    assert all(found[name]["mend"] for name in failed)
    assert found["database"]["mend"] == "regatta db upgrade"
    assert "no_such_module" in found["paddle"]["found"]


def test_a_broker_that_answers(
    bench: Bench, regatta: Regatta, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGATTA_BROKER_URL", broker)
    assert findings(regatta, 0)["broker"]["found"] == "answers; 0 messages wait"


def test_a_paddle_that_is_known_to_fail(
    bench: Bench, regatta: Regatta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_PADDLE", checks._PADDLE.replace("3.2.2", "3.3.1"))
    assert "fails with oneDNN" in findings(regatta, 1)["paddle"]["mend"]


def test_db_upgrade_makes_the_tables(
    bench: Bench, regatta: Regatta, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REGATTA_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    for _ in range(2):
        result = regatta("db", "upgrade")
        assert result.exit_code == 0, result.stderr
        assert "at revision 0001" in result.stderr
    assert findings(regatta, 0)["database"]["ok"] is True


def test_a_table_says_ok_in_words(bench: Bench, regatta: Regatta) -> None:
    lines = regatta("doctor", "--format", "table").stdout.splitlines()
    assert lines[0].split() == ["CHECK", "OK", "FOUND", "MEND"]
    assert {line.split()[0]: line.split()[1] for line in lines[1:]}["paddle"] == "ok"
