"""Tests that share something costly run in one process; see `tests.conftest`."""

import pytest


@pytest.mark.parametrize("shared", ["paddle"])
def test_its_group_is_told_to_whoever_distributes_tests(
    shared: str, request: pytest.FixtureRequest
) -> None:
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("no tests are distributed by group")
    assert request.node.nodeid.endswith(f"@{shared}")
