import ctypes
from types import SimpleNamespace

import pytest

from worker.memory import FreedMemory, keep_freed_memory

MIB = 1 << 20


def test_a_library_without_the_switch_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    keep_freed_memory()
    assert not FreedMemory().look()


def test_memory_in_pieces_goes_back_and_what_a_round_leaves_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free, returned = [0], []

    class Info:
        restype = None

        def __call__(self) -> SimpleNamespace:
            return SimpleNamespace(fordblks=free[0] * MIB)

    library = SimpleNamespace(mallinfo2=Info(), malloc_trim=returned.append)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    memory = FreedMemory(100 * MIB)
    looks = []
    for now in (90, 101, 300, 200, 399, 400, 401):
        free[0] = now
        looks.append(memory.look(threads=2))
    assert looks == [False, True, False, False, False, False, True]  # 300 is what a round leaves
    assert returned == [0, 0]


def test_the_c_library_of_this_machine_says_what_is_free() -> None:
    assert not FreedMemory(1 << 60).look()
    assert FreedMemory(-1).look()
