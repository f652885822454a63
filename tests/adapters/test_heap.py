"""The heap of a worker is kept where the C library can do that."""

import ctypes

import pytest

from prescaler.adapters.heap import keep_freed_memory


def test_it_says_whether_it_could(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep_freed_memory() in {True, False}

    def without(_: object) -> object:
        raise OSError("no C library")

    monkeypatch.setattr(ctypes, "CDLL", without)
    assert keep_freed_memory() is False
