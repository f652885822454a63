"""What past crowds taught, as an archive of named arrays and plain values, nothing that runs."""

import json
import zlib
from datetime import timedelta
from io import BytesIO
from math import isnan, nan
from tokenize import TokenError
from typing import Any, Final
from zipfile import BadZipFile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from prescaler.core.arrays import BoolArray, FloatArray
from prescaler.core.errors import StoreDamaged
from prescaler.core.instants import format_instant, parse_instant
from prescaler.core.uplift import Crowd, Example, Frame, KindModel, Similarity, UpliftModel

_FORM: Final = 1

_DAMAGE: Final = (
    *(ValueError, KeyError, TypeError, OSError, EOFError, BadZipFile, zlib.error),
    *(RuntimeError, TokenError, ZoneInfoNotFoundError),
)


def pack_uplift(model: UpliftModel) -> bytes:
    """Everything that a curve is made of, compressed; ratios as float32 (error below 1e-7)."""
    examples = [one for kind in model.kinds.values() for one in kind.examples]
    meta = {
        "form": _FORM,
        "step": int(model.step.total_seconds()),
        "zone": model.zone.key,
        "country": model.country,
        "offset": model.offset,
        "kinds": {name: _kind_out(kind) for name, kind in model.kinds.items()},
    }
    stream = BytesIO()
    np.savez_compressed(
        stream,
        allow_pickle=False,
        meta=np.frombuffer(json.dumps(meta, allow_nan=False).encode(), dtype=np.uint8),
        ratio=np.concatenate([np.empty(0), *(e.ratio for e in examples)]).astype(np.float32),
        naive=np.concatenate([np.empty((0, 2)), *(e.naive for e in examples)]).astype(np.float32),
        censored=np.concatenate([np.empty(0, dtype=bool), *(e.censored for e in examples)]),
    )
    return stream.getvalue()


def unpack_uplift(payload: bytes) -> UpliftModel:
    """The reverse of `pack_uplift`.

    Raises:
        StoreDamaged: cut off, altered, or written by a release that keeps other things.
    """
    try:
        with np.load(BytesIO(payload), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        meta = json.loads(arrays["meta"].tobytes())
        if meta["form"] != _FORM:
            raise ValueError(f"form {meta['form']}, this release reads {_FORM}")
        step = timedelta(seconds=meta["step"])
        rows = _Rows(arrays["ratio"], arrays["naive"], arrays["censored"])
        return UpliftModel(
            step=step,
            zone=ZoneInfo(meta["zone"]),
            country=meta["country"],
            offset=meta["offset"],
            kinds={name: _kind_in(name, kind, step, rows) for name, kind in meta["kinds"].items()},
        )
    except _DAMAGE as error:
        raise StoreDamaged(
            f"stored uplifts cannot be read back ({error}); they will be learnt anew"
        ) from error


def _kind_out(kind: KindModel) -> dict[str, Any]:
    share = kind.similarity.error_share
    return {
        "harmful": kind.harmful,
        "penalties": dict(kind.similarity.penalties),
        "half_life": kind.similarity.half_life,
        "error_share": None if isnan(share) else share,
        "examples": [_example_out(one) for one in kind.examples],
    }


def _example_out(example: Example) -> dict[str, Any]:
    crowd, frame = example.crowd, example.frame
    return {
        "name": crowd.name,
        "start": format_instant(crowd.start),
        "end": format_instant(crowd.end),
        "hour": crowd.hour,
        "day_off": crowd.day_off,
        "labels": dict(crowd.labels),
        "frame": [frame.before, frame.during, frame.after],
    }


class _Rows:
    """Arrays that are read from the front, piece by piece."""

    def __init__(self, ratio: FloatArray, naive: FloatArray, censored: BoolArray) -> None:
        self._ratio, self._naive = ratio.astype(np.float64), naive.astype(np.float64)
        self._censored = censored
        self._read = 0

    def take(self, rows: int) -> tuple[FloatArray, FloatArray, BoolArray]:
        piece = slice(self._read, self._read + rows)
        ratio, naive, censored = self._ratio[piece], self._naive[piece], self._censored[piece]
        if len(ratio) < rows or len(naive) < rows or len(censored) < rows:
            raise ValueError("fewer rows than examples need")
        self._read += rows
        return ratio, naive, censored


def _kind_in(name: str, meta: dict[str, Any], step: timedelta, rows: _Rows) -> KindModel:
    return KindModel(
        examples=tuple(_example_in(name, one, step, rows) for one in meta["examples"]),
        similarity=Similarity(
            meta["penalties"],
            meta["half_life"],
            nan if meta["error_share"] is None else meta["error_share"],
        ),
        harmful=meta["harmful"],
    )


def _example_in(kind: str, meta: dict[str, Any], step: timedelta, rows: _Rows) -> Example:
    frame = Frame(step, *meta["frame"])
    crowd = Crowd(
        name=meta["name"],
        kind=kind,
        start=parse_instant(meta["start"]),
        end=parse_instant(meta["end"]),
        hour=meta["hour"],
        day_off=meta["day_off"],
        labels=meta["labels"],
    )
    return Example(crowd, frame, *rows.take(frame.length))
