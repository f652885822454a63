"""Walked forecasts as bytes, and back without loss."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.adapters.packed_walk import pack_walk, unpack_walk
from prescaler.core.errors import StoreDamaged
from prescaler.core.replay.track import Said


def said(cells: int, *, wide: bool = False, seed: int = 0) -> Said:
    draw = np.random.default_rng(seed)
    values = draw.lognormal(5.0, 1.0, (cells, 8))
    return Said(
        issued=1_700_000_060 + 300 * seed,
        start=1_700_000_100 + 300 * seed,
        seconds=300,
        values=values if wide else values.astype(np.float32),
        peak=draw.random(cells).astype(np.float32) + 1,
        floors=draw.integers(0, 50, cells),
    )


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=12))
def test_what_is_packed_comes_back_bit_by_bit(shapes: list[tuple[int, bool]]) -> None:
    walk = [said(cells, wide=wide, seed=n) for n, (cells, wide) in enumerate(shapes)]
    back = unpack_walk(pack_walk(walk))

    assert len(back) == len(walk)
    for one, other in zip(walk, back, strict=True):
        assert (one.issued, one.start, one.seconds) == (other.issued, other.start, other.seconds)
        for name in ("values", "peak", "floors"):
            kept, read = getattr(one, name), getattr(other, name)
            assert kept.dtype == read.dtype
            assert np.array_equal(kept, read)


def test_damage_is_said() -> None:
    whole = pack_walk([said(24, seed=n) for n in range(20)])

    for payload in (b"", b"nonsense", whole[:-200], whole[: len(whole) // 2]):
        with pytest.raises(StoreDamaged, match="cannot be read back"):
            unpack_walk(payload)


@pytest.mark.parametrize("name", ["narrow", "wide", "peak", "floors", "head"])
def test_pieces_that_do_not_fit_are_damage(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = [said(24), said(12, wide=True)]
    write = np.savez_compressed

    def cut(stream: Any, **arrays: Any) -> None:
        arrays[name] = arrays[name][:-1]
        write(stream, **arrays)

    monkeypatch.setattr(np, "savez_compressed", cut)
    payload = pack_walk(walk)

    with pytest.raises(StoreDamaged, match="cells are missing"):
        unpack_walk(payload)
