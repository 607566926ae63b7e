from pathlib import Path

import pytest
from pydantic import ValidationError

from config.settings import Settings, load_settings
from core.errors import UsageError
from store.s3.options import S3Options


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory, and nothing in the environment that means us."""
    for name in ("CONFIG", *(field.upper() for field in Settings.model_fields)):
        monkeypatch.delenv(f"REGATTA_{name}", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def complaint(**flags: object) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load_settings(**flags)
    return caught.value


def test_defaults_lie_in_the_home(tmp_path: Path) -> None:
    settings = load_settings()
    home = tmp_path / "data" / "regatta"
    assert settings.home == home
    assert settings.database_url == f"sqlite:///{home}/regatta.db"
    assert settings.objects == f"{home}/outputs"
    assert settings.models_directory == home / "models"
    assert settings.broker_url is None
    assert (settings.lease_seconds, settings.max_item_bytes) == (30, 268_435_456)
    assert not home.exists()


def test_without_a_data_directory_the_home_is_in_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings().home == tmp_path / ".local/share/regatta"


def test_flags_beat_the_environment_which_beats_the_file_which_beats_defaults(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "regatta.toml").write_text("max_tries = 1\nconcurrency = 1\nbatch_size = 1\n")
    monkeypatch.setenv("REGATTA_MAX_TRIES", "2")
    monkeypatch.setenv("REGATTA_CONCURRENCY", "2")
    settings = load_settings(max_tries=3, predictors=None)
    assert (settings.max_tries, settings.concurrency, settings.batch_size) == (3, 2, 1)
    assert settings.jpeg_quality == 90


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGATTA_MAX_TRIES", "")
    assert load_settings().max_tries == 5


def test_the_file_in_the_home_serves_where_the_directory_has_none(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(("flag", "variable"), 1):
        (tmp_path / name).mkdir()
        (tmp_path / name / "regatta.toml").write_text(f"max_tries = {number}")
    monkeypatch.setenv("REGATTA_HOME", str(tmp_path / "variable"))
    assert load_settings(home=tmp_path / "flag").max_tries == 1
    assert load_settings().max_tries == 2
    (place / "regatta.toml").write_text("max_tries = 9")
    assert load_settings().max_tries == 9


def test_a_named_file_beats_both_and_must_exist(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "regatta.toml").write_text("max_tries = 9")
    (tmp_path / "other.toml").write_text("max_tries = 1")
    monkeypatch.setenv("REGATTA_CONFIG", str(tmp_path / "other.toml"))
    assert load_settings().max_tries == 1
    monkeypatch.setenv("REGATTA_CONFIG", "gone.toml")
    assert "gone.toml" in str(complaint())


def test_relative_paths_start_where_they_were_written(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGATTA_CONFIG", str(tmp_path / "other.toml"))
    (tmp_path / "other.toml").write_text('home = "h"\nobjects = "out"\nmodels_directory = "models"')
    settings = load_settings()
    assert (settings.home, settings.objects) == (tmp_path / "h", f"{tmp_path}/out")
    assert settings.models_directory == tmp_path / "models"
    settings = load_settings(home="h", objects="out")
    assert (settings.home, settings.objects) == (place / "h", f"{place}/out")
    (tmp_path / "other.toml").write_text('objects = "s3://bucket/out"')
    assert load_settings().objects == "s3://bucket/out"


def test_a_bad_value_is_named_with_its_origin_and_what_is_allowed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "regatta.toml").write_text("concurrency = 0")
    monkeypatch.setenv("REGATTA_LEASE_SECONDS", "soon")
    error = complaint(log_level="loud")
    lease, concurrency, level = str(error).splitlines()
    assert lease == (
        "lease_seconds = 'soon' (from REGATTA_LEASE_SECONDS in the environment): "
        "input should be a valid number, unable to parse string as a number"
    )
    assert concurrency == (
        f"concurrency = 0 (from {place}/regatta.toml): input should be greater than or equal to 1"
    )
    assert level == (
        "log_level = 'loud' (from the command line): "
        "input should be 'debug', 'info', 'warning' or 'error'"
    )
    assert error.hint is not None
    assert "log_level: The least severe level" in error.hint


def test_a_bad_home_is_the_only_complaint_about_what_depends_on_it(place: Path) -> None:
    (place / "regatta.toml").write_text("home = 7")
    (line,) = str(complaint()).splitlines()
    assert line.startswith(f"home = 7 (from {place}/regatta.toml): input")


def test_an_unknown_name_in_the_file_is_an_error(place: Path) -> None:
    (place / "regatta.toml").write_text("lease_second = 3")
    assert str(complaint()) == (
        f"unknown setting 'lease_second' (from {place}/regatta.toml); is it lease_seconds?"
    )
    (place / "regatta.toml").write_text("[xyz]\na = 1")
    assert "there are home, database_url, broker_url" in str(complaint())


def test_a_url_is_not_repeated_because_it_may_hold_a_password(place: Path) -> None:
    (place / "regatta.toml").write_text('database_url = ["postgresql://me:secret@host/db"]')
    error = complaint()
    assert "database_url (from" in str(error)
    assert "secret" not in f"{error} {error.hint}"
    settings = load_settings(
        database_url="postgresql://me:secret@h/d", broker_url="redis://:secret@h"
    )
    assert "secret" not in repr(settings)


@pytest.mark.parametrize("content", [b"a = ", b"\xff", b'a = "\x00"'])
def test_a_file_that_is_no_toml(place: Path, content: bytes) -> None:
    (place / "regatta.toml").write_bytes(content)
    assert str(complaint()).startswith(f"{place}/regatta.toml: ")


def test_heartbeats_must_fit_into_the_lease() -> None:
    assert load_settings(lease_seconds=3, heartbeat_seconds=1).heartbeat_seconds == 1
    assert str(complaint(lease_seconds=3, heartbeat_seconds=1.1)) == (
        "heartbeat_seconds (1.1) may be at most a third of lease_seconds (3): "
        "a lease must outlast lost heartbeats"
    )


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().max_tries = 1


def test_the_settings_of_s3_are_its_options() -> None:
    given = {"s3_ca_bundle": "/etc/ca.pem", "s3_encryption": "aws:kms", "s3_kms_key_id": "key"}
    options = S3Options(**load_settings(**given).s3)
    assert (options.ca_bundle, options.encryption) == ("/etc/ca.pem", "aws:kms")
    assert S3Options(**load_settings().s3) == S3Options()


def test_a_key_without_its_encryption_is_refused() -> None:
    with pytest.raises(UsageError, match="s3_kms_key_id"):
        load_settings(s3_kms_key_id="key")


def test_an_endpoint_holds_no_credentials() -> None:
    with pytest.raises(UsageError) as caught:
        load_settings(s3_endpoint_url="https://me:secret@host")
    assert "secret" not in str(caught.value)
