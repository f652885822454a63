"""The engine's state as an archive of named arrays and plain values; nothing in it can run."""

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import date, timedelta
from io import BytesIO
from tokenize import TokenError
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.calibration import Spread
from prescaler.core.combination import Combination
from prescaler.core.conformal import Watch
from prescaler.core.echo import Echo
from prescaler.core.engine import ModelState, ReachState
from prescaler.core.errors import StoreDamaged
from prescaler.core.history import DayOff
from prescaler.core.instants import format_instant, parse_instant
from prescaler.core.level_shift import LevelShift
from prescaler.core.records import Walk
from prescaler.core.scales import DemandScale
from prescaler.core.track_record import TrackRecord
from prescaler.core.trial import Expert, Learnt

_FORM: Final = 3
_READ: Final = (2, 3)
"""1 was the state of the first engine; it is refused, and the next refit writes this one. 2 knew no
echo and two signs of size: it rolls as it did, and what widths it learnt is kept."""

_SIGNS: Final = 4

_DAMAGE: Final = (
    *(ValueError, KeyError, TypeError, OSError, EOFError, BadZipFile, zlib.error),
    *(RuntimeError, TokenError),
)
"""The last two: flipped bits that look like an encrypted entry, or an array's header cut short."""

Arrays = dict[str, FloatArray]


def pack_state(state: ModelState) -> bytes:
    """Everything a roll needs, compressed."""
    arrays: Arrays = {
        "near": state.near,
        **_watch_arrays("watch", state.watch),
        **_watch_arrays("planned", state.planned),
    }
    meta = {
        "form": _FORM,
        "fitted_at": format_instant(state.fitted_at),
        "step": int(state.step.total_seconds()),
        "horizon": state.horizon,
        "scale": vars(state.scale),
        "naive": int(state.naive.total_seconds()),
        "without": state.without,
        "shifts": [[format_instant(one.at), one.factor] for one in state.shifts],
        "holidays": [[one.day.isoformat(), one.way] for one in state.holidays],
        "watch": _watch_out(state.watch),
        "planned": _watch_out(state.planned),
        "reaches": [_reach_out(f"{i}", part, arrays) for i, part in enumerate(state.reaches)],
        "between": [_reach_out(f"b{i}", part, arrays) for i, part in enumerate(state.between)],
    }
    stream = BytesIO()
    text = np.frombuffer(json.dumps(meta, allow_nan=False).encode(), dtype=np.uint8)
    np.savez_compressed(stream, allow_pickle=False, meta=text, **arrays)
    return stream.getvalue()


def unpack_state(payload: bytes) -> ModelState:
    """The reverse of `pack_state`.

    Raises:
        StoreDamaged: cut off, altered, or written by a release whose engine keeps other things.
    """
    try:
        with np.load(BytesIO(payload), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        meta = json.loads(arrays["meta"].tobytes())
        _check_form(meta["form"])
        watch = _watch_in("watch", meta["watch"], arrays)
        return ModelState(
            fitted_at=parse_instant(meta["fitted_at"]),
            step=timedelta(seconds=meta["step"]),
            horizon=meta["horizon"],
            scale=DemandScale(**meta["scale"]),
            reaches=tuple(_reach_in(f"{i}", r, arrays) for i, r in enumerate(meta["reaches"])),
            naive=timedelta(seconds=meta["naive"]),
            watch=watch,
            planned=_planned_in(meta, arrays, watch),
            near=arrays.get("near", np.zeros((0, 2))),
            without=meta.get("without", 0),
            shifts=tuple(LevelShift(parse_instant(at), f) for at, f in meta.get("shifts", ())),
            holidays=_holidays_in(meta.get("holidays", ())),
            between=tuple(
                _reach_in(f"b{i}", r, arrays) for i, r in enumerate(meta.get("between", ()))
            ),
        )
    except _DAMAGE as error:
        raise StoreDamaged(
            f"a stored fit cannot be read back ({error}); it will be made anew"
        ) from error


def _holidays_in(found: Iterable[tuple[str, float]]) -> tuple[DayOff, ...]:
    return tuple(DayOff(date.fromisoformat(day), float(way)) for day, way in found)


def pack_walk(walk: Walk) -> bytes:
    """How far forecasts of the past have come, and the state they go on with."""
    head = {
        "form": _FORM,
        "start": format_instant(walk.start),
        "until": format_instant(walk.until),
        "every": int(walk.every.total_seconds()),
    }
    text = json.dumps(head).encode()
    state = pack_state(walk.state) if walk.state is not None else b""
    return len(text).to_bytes(4, "little") + text + state


def unpack_walk(payload: bytes) -> Walk:
    """The reverse of `pack_walk`.

    Raises:
        StoreDamaged: as for a state.
    """
    size = int.from_bytes(payload[:4], "little")
    try:
        head = json.loads(payload[4 : 4 + size])
        _check_form(head["form"])
        start, until = parse_instant(head["start"]), parse_instant(head["until"])
        every = timedelta(seconds=head["every"])
    except _DAMAGE as error:
        raise StoreDamaged(f"a stored walk cannot be read back ({error})") from error
    rest = payload[4 + size :]
    return Walk(start, until, every, unpack_state(rest) if rest else None)


def _watch_arrays(key: str, watch: Watch) -> Arrays:
    record = {f"{key}/record/{name}": found for name, found in vars(watch.record).items()}
    return {
        f"{key}/width": watch.width,
        f"{key}/said": watch.said,
        f"{key}/naive": watch.naive,
        **record,
    }


def _watch_out(watch: Watch) -> dict[str, Any]:
    return {
        "leads": watch.leads.tolist(),
        "cutoffs": watch.cutoffs.tolist(),
        "judged_at": watch.judged_at,
    }


def _planned_in(meta: Mapping[str, Any], arrays: Arrays, watch: Watch) -> Watch:
    """What plans promised; a release that did not watch them yet has left nothing to go on from."""
    if "planned" in meta:
        return _watch_in("planned", meta["planned"], arrays)
    return Watch.at(watch.leads)


def _watch_in(key: str, meta: Mapping[str, Any], arrays: Arrays) -> Watch:
    names = [field.name for field in fields(TrackRecord)]
    return Watch(
        leads=np.array(meta["leads"], dtype=np.int64),
        width=arrays[f"{key}/width"],
        cutoffs=np.array(meta["cutoffs"], dtype=np.int64),
        said=arrays[f"{key}/said"],
        naive=arrays[f"{key}/naive"],
        record=TrackRecord(**{name: arrays[f"{key}/record/{name}"] for name in names}),
        judged_at=meta["judged_at"],
    )


def _check_form(form: int) -> None:
    if form not in _READ:
        raise ValueError(f"form {form}, this release reads {_FORM}")


def _reach_out(key: str, part: ReachState, arrays: Arrays) -> dict[str, Any]:
    """Plain values of one range of leads; its arrays go into the archive under its key."""
    learnt, mix, spread = part.learnt, part.mix, part.spread
    arrays |= {
        f"{key}/coefficients": learnt.coefficients,
        f"{key}/residual": learnt.spread,
        f"{key}/shares": mix.shares,
        f"{key}/naive": mix.naive.astype(np.float64),
        f"{key}/naive_share": mix.naive_share,
        f"{key}/echo": part.echo.share,
        f"{key}/recent": spread.recent,
        f"{key}/table": spread.table,
        f"{key}/slope": spread.slope,
        f"{key}/centre": spread.centre,
        f"{key}/floor": spread.floor,
        f"{key}/peak": spread.peak,
    }
    for name, found in learnt.parameters.items():
        arrays |= {f"{key}/parameters/{name}/{term}": found[term] for term in found}
    return {
        "experts": [[e.forecaster, e.kind] for e in part.experts],
        "pool": learnt.pool,
        "parameters": {name: sorted(found) for name, found in learnt.parameters.items()},
        "mix_edges": mix.edges,
        "spread_edges": spread.edges,
        "usual": spread.usual,
        "echo_limit": part.echo.limit,
        "offset": spread.offset,
    }


def _reach_in(key: str, meta: Mapping[str, Any], arrays: Arrays) -> ReachState:
    learnt = Learnt(
        pool=tuple(meta["pool"]),
        parameters={
            name: {term: arrays[f"{key}/parameters/{name}/{term}"] for term in terms}
            for name, terms in meta["parameters"].items()
        },
        coefficients=arrays[f"{key}/coefficients"],
        spread=arrays[f"{key}/residual"],
    )
    mix = Combination(
        edges=tuple(meta["mix_edges"]),
        shares=arrays[f"{key}/shares"],
        naive=arrays[f"{key}/naive"].astype(np.int64),
        naive_share=arrays[f"{key}/naive_share"],
    )
    spread = Spread(
        edges=tuple(meta["spread_edges"]),
        table=arrays[f"{key}/table"],
        slope=_signs_in(arrays[f"{key}/slope"], 0.0),
        centre=_signs_in(arrays[f"{key}/centre"], 0.0),
        floor=_signs_in(arrays[f"{key}/floor"], 1.0),
        recent=arrays[f"{key}/recent"] if "usual" in meta else np.full(2, meta["recent"]),
        usual=meta["usual"] if "usual" in meta else meta["recent"],
        offset=meta["offset"],
        peak=_peak_in(key, arrays),
    )
    experts = tuple(Expert(forecaster, kind) for forecaster, kind in meta["experts"])
    silent = np.zeros(learnt.coefficients.shape[-1])
    echo = Echo(arrays.get(f"{key}/echo", silent), meta.get("echo_limit", 0.0))
    return ReachState(experts, learnt, mix, echo, spread)


def _signs_in(found: FloatArray, missing: float) -> FloatArray:
    """[B, 4]; form 2 had the first two."""
    more = _SIGNS - found.shape[1]
    return np.pad(found, ((0, 0), (0, more)), constant_values=missing)


def _peak_in(key: str, arrays: Arrays) -> FloatArray:
    """[B, 24]; a release before this one kept one ratio for an hour, whatever the lead."""
    if f"{key}/peak" in arrays:
        return arrays[f"{key}/peak"]
    return np.tile(arrays["peak"], (len(arrays[f"{key}/table"]), 1))
