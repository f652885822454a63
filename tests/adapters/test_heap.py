"""The heap of a worker is kept where the C library can do that."""

import ctypes
import gc

import pytest

from prescaler.adapters.heap import collect_rarely, keep_freed_memory


def test_it_says_whether_it_could(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep_freed_memory() in {True, False}

    def without(_: object) -> object:
        raise OSError("no C library")

    monkeypatch.setattr(ctypes, "CDLL", without)
    assert keep_freed_memory() is False


def test_garbage_is_looked_for_rarely() -> None:
    before = gc.get_threshold()
    try:
        gc.set_threshold(700, 10, 10)
        collect_rarely()
        assert gc.get_threshold()[0] > 100 * 700
        assert gc.get_freeze_count() > 0
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
