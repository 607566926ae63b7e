import errno
from pathlib import Path

import pytest

from core.errors import (
    BadInputError,
    BlockedError,
    FatalError,
    RegattaError,
    RetryableError,
    UsageError,
)
from store.file_errors import no_room
from store.files import FileObjects
from store.naming import naming


def test_what_is_missing_is_a_wrong_request(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="the list 'a' cannot be read: ") as caught,
        naming("the list 'a' cannot be read", hint="see that the path is right"),
    ):
        FileObjects(tmp_path).get("a")
    assert caught.value.hint == "see that the path is right"


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (FatalError("there is no bucket 'x'", hint="correct its name"), UsageError),
        (RetryableError("busy", hint="wait"), RetryableError),
        (BlockedError("no credentials", hint="renew them"), BlockedError),
        (BadInputError("access_denied", "no"), UsageError),
    ],
)
def test_a_store_that_is_away_is_none(error: RegattaError, raised: type[RegattaError]) -> None:
    with (
        pytest.raises(raised, match=f"the output cannot be written: {error}") as caught,
        naming("the output cannot be written"),
    ):
        raise error
    assert type(caught.value) is raised
    assert caught.value.hint == error.hint


def test_a_full_disk_is_none(tmp_path: Path) -> None:
    full = no_room(tmp_path, OSError(errno.ENOSPC, "No space left on device"))
    assert full is not None
    with (
        pytest.raises(BlockedError, match="cannot be written: waiting for room"),
        naming("the output cannot be written"),
    ):
        raise full
