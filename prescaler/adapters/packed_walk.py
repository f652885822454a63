"""Walked forecasts as an archive of named arrays, without loss; nothing in it can run."""

import zlib
from collections.abc import Sequence
from io import BytesIO
from tokenize import TokenError
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np

from prescaler.core.errors import StoreDamaged
from prescaler.core.quantiles import QUANTILES
from prescaler.core.replay.track import Said

_DAMAGE: Final = (
    *(ValueError, KeyError, TypeError, OSError, EOFError, BadZipFile, zlib.error),
    *(RuntimeError, TokenError, IndexError),
)
_HEAD: Final = ("issued", "start", "seconds", "cells", "wide")


def pack_walk(walk: Sequence[Said]) -> bytes:
    """Forecasts one after the other; values keep the width (32 or 64 bits) that they have."""
    wide = [one.values.dtype == np.float64 for one in walk]
    numbers = [
        (one.issued, one.start, one.seconds, len(one.values), is_wide)
        for one, is_wide in zip(walk, wide, strict=True)
    ]
    stream = BytesIO()
    np.savez_compressed(
        stream,
        allow_pickle=False,
        head=np.array(numbers, dtype=np.int64).reshape(len(walk), len(_HEAD)),
        narrow=_values([one for one, is_wide in zip(walk, wide, strict=True) if not is_wide], "f4"),
        wide=_values([one for one, is_wide in zip(walk, wide, strict=True) if is_wide], "f8"),
        peak=np.concatenate([np.zeros(0, "f4"), *(one.peak for one in walk)]),
        floors=np.concatenate([np.zeros(0, "i8"), *(one.floors for one in walk)]),
    )
    return stream.getvalue()


def _values(walk: Sequence[Said], kind: str) -> Any:
    return np.concatenate([np.zeros((0, len(QUANTILES)), kind), *(one.values for one in walk)])


def unpack_walk(payload: bytes) -> list[Said]:
    """The reverse of `pack_walk`.

    Raises:
        StoreDamaged: cut off, altered, or written by a release that keeps other things.
    """
    try:
        with np.load(BytesIO(payload), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        return _said(arrays)
    except _DAMAGE as error:
        raise StoreDamaged(f"a piece of a replay cannot be read back ({error})") from error


def _said(arrays: dict[str, Any]) -> list[Said]:
    found, at, places = [], 0, {"narrow": 0, "wide": 0}
    for issued, start, seconds, cells, is_wide in arrays["head"].tolist():
        kind = "wide" if is_wide else "narrow"
        first = places[kind]
        places[kind] = first + cells
        found.append(
            Said(
                issued=issued,
                start=start,
                seconds=seconds,
                values=arrays[kind][first : first + cells],
                peak=arrays["peak"][at : at + cells],
                floors=arrays["floors"][at : at + cells],
            )
        )
        at += cells
    wanted = {**places, "peak": at, "floors": at}
    if any(len(arrays[name]) != cells for name, cells in wanted.items()):
        raise ValueError("cells are missing")
    return found
