"""How values become bytes, in the database and in the snapshot alike.

Every payload begins with one byte that names its form, so that a later release may write another
one and still read this. Arrays are little-endian float32, byte-shuffled (all first bytes, then all
second ones, ...) and deflated: neighbours in time share their high bytes.
"""

import json
import struct
import zlib
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from prescaler.core.arrays import Float32Array, FloatArray
from prescaler.core.control import (
    Authored,
    Control,
    Freeze,
    GuardTrip,
    LastValid,
    ModeChange,
    Override,
)
from prescaler.core.decision import STAGES
from prescaler.core.errors import StoreDamaged
from prescaler.core.forecast import Basis, Forecast, Origin
from prescaler.core.instants import format_instant, from_epoch, parse_instant, to_epoch
from prescaler.core.policy import Mode
from prescaler.core.records import LoggedDecision, Outcome, RunStatus, SourceFailure
from prescaler.core.score_days import WIDTH
from prescaler.core.widths import Widths

_FORM: Final = 1
_LEVEL: Final = 6


def pack_arrays(meta: dict[str, Any], *arrays: Float32Array) -> bytes:
    """Form byte, length of the JSON head, head (with the shapes), shuffled and deflated arrays."""
    head = json.dumps({**meta, "shapes": [a.shape for a in arrays]}, allow_nan=False).encode()
    flat = np.concatenate([np.asarray(a, dtype="<f4").ravel() for a in arrays])
    shuffled = flat.view(np.uint8).reshape(-1, 4).T.tobytes()
    body = struct.pack("<BI", _FORM, len(head)) + head + shuffled
    return zlib.compress(body, _LEVEL)


def unpack_arrays(payload: bytes) -> tuple[dict[str, Any], list[Float32Array]]:
    """The reverse of `pack_arrays`.

    Raises:
        StoreDamaged: cut off, altered, or of a form that this release does not know.
    """
    try:
        body = zlib.decompress(payload)
        form, length = struct.unpack_from("<BI", body)
        if form != _FORM:
            raise StoreDamaged(f"a stored array has form {form}, this release reads {_FORM}")
        head = json.loads(body[5 : 5 + length])
        bytes_ = np.frombuffer(body, dtype=np.uint8, offset=5 + length)
        flat = np.ascontiguousarray(bytes_.reshape(4, -1).T).view("<f4").ravel()
        return head, _split(flat, head["shapes"])
    except (zlib.error, struct.error, ValueError, KeyError, TypeError) as error:
        raise StoreDamaged(f"a stored array cannot be read back ({error})") from error


def _split(flat: npt.NDArray[np.float32], shapes: list[list[int]]) -> list[Float32Array]:
    sizes = [int(np.prod(shape)) for shape in shapes]
    if sum(sizes) != len(flat):
        raise ValueError(f"{len(flat)} numbers for shapes {shapes}")
    pieces = np.split(flat, np.cumsum(sizes)[:-1])
    return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]


def pack_points(mean: FloatArray, peak: FloatArray) -> bytes:
    """One day of demand; the peak is kept only where it differs from the mean."""
    arrays = [mean.astype("<f4")]
    if not np.array_equal(mean, peak, equal_nan=True):
        arrays.append(peak.astype("<f4"))
    return pack_arrays({}, *arrays)


def unpack_points(payload: bytes) -> tuple[FloatArray, FloatArray]:
    """Mean and peak of one day."""
    _, arrays = unpack_arrays(payload)
    return arrays[0].astype(np.float64), arrays[-1].astype(np.float64)


def pack_forecast(forecast: Forecast) -> bytes:
    """A forecast with everything but its identity; values by quantile, so that time is inner."""
    meta = {
        "issued_at": format_instant(forecast.issued_at),
        "step": int(forecast.step.total_seconds()),
        "quantiles": list(forecast.quantiles),
        "basis": forecast.basis.value,
        "historic_max": forecast.historic_max,
        "weights": {band: dict(row) for band, row in forecast.weights.items()},
        "track_record": {band: dict(row) for band, row in forecast.track_record.items()},
        "plan_record": {band: dict(row) for band, row in forecast.plan_record.items()},
        "plan_leads": forecast.plan_widths.leads,
        "plan_logs": forecast.plan_widths.logs,
    }
    return pack_arrays(meta, forecast.values.T, forecast.peak_ratio, forecast.naive)


def unpack_forecast(
    payload: bytes, *, workload: UUID, version: int, cutoff: datetime, origin: Origin
) -> Forecast:
    """A forecast from its bytes and its identity."""
    meta, (values, peak_ratio, naive) = unpack_arrays(payload)
    return Forecast(
        workload=workload,
        version=version,
        cutoff=cutoff,
        issued_at=parse_instant(meta["issued_at"]),
        step=timedelta(seconds=meta["step"]),
        values=np.ascontiguousarray(values.T),
        peak_ratio=peak_ratio,
        naive=naive,
        historic_max=meta["historic_max"],
        origin=origin,
        basis=Basis(meta["basis"]),
        weights=meta["weights"],
        track_record=meta.get("track_record", {}),
        quantiles=tuple(meta["quantiles"]),
        plan_record=meta.get("plan_record", {}),
        plan_widths=Widths(
            tuple(meta.get("plan_leads", ())),
            tuple(tuple(row) for row in meta.get("plan_logs", ())),
        ),
    )


def pack_sums(row: FloatArray) -> bytes:
    """Sums of scores, in full: they are added to again and again."""
    return zlib.compress(struct.pack("<B", _FORM) + row.astype("<f8").tobytes(), _LEVEL)


def unpack_sums(payload: bytes) -> FloatArray:
    """The reverse of `pack_sums`.

    Raises:
        StoreDamaged: as for arrays.
    """
    try:
        body = zlib.decompress(payload)
        if body[0] != _FORM or len(body) != 1 + 8 * WIDTH:
            raise StoreDamaged(f"stored scores have form {body[0]} and {len(body)} bytes")
        return np.frombuffer(body, dtype="<f8", offset=1).astype(np.float64)
    except (zlib.error, ValueError, IndexError) as error:
        raise StoreDamaged(f"stored scores cannot be read back ({error})") from error


def control_to_json(control: Control) -> dict[str, Any]:
    """Control state as plain JSON values."""
    return {key: _plain(value) for key, value in asdict(control).items()}


def control_from_json(found: dict[str, Any]) -> Control:
    """The reverse of `control_to_json`."""
    mode, freeze, override = found.get("mode"), found.get("freeze"), found.get("override")
    guard, last = found.get("guard"), found.get("last_valid")
    return Control(
        mode=ModeChange(_authored(mode["by"]), Mode(mode["mode"])) if mode else None,
        freeze=Freeze(_authored(freeze["by"]), freeze["value"]) if freeze else None,
        override=_override(override) if override else None,
        guard=_guard(guard) if guard else None,
        last_valid=LastValid(last["value"], parse_instant(last["at"])) if last else None,
        revision=found.get("revision", 0),
    )


def _override(found: dict[str, Any]) -> Override:
    return Override(_authored(found["by"]), found["load"], found["pods"])


def _guard(found: dict[str, Any]) -> GuardTrip:
    return GuardTrip(found["name"], found["detail"], parse_instant(found["since"]))


def _authored(found: dict[str, Any]) -> Authored:
    until = parse_instant(found["until"]) if found["until"] else None
    return Authored(found["author"], found["reason"], parse_instant(found["since"]), until)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return value


def status_to_json(status: RunStatus) -> dict[str, Any]:
    """A run's end as plain JSON values."""
    return {key: _plain(value) for key, value in asdict(status).items()}


def status_from_json(found: dict[str, Any]) -> RunStatus:
    """The reverse of `status_to_json`."""
    seen, failure = found.get("last_actual_at"), found.get("source_failure")
    return RunStatus(
        at=parse_instant(found["at"]),
        outcome=Outcome(found["outcome"]),
        detail=found.get("detail"),
        source_failure=SourceFailure(failure["kind"], failure["text"]) if failure else None,
        last_actual=found.get("last_actual"),
        last_actual_at=parse_instant(seen) if seen else None,
    )


def decision_to_json(entry: LoggedDecision) -> list[Any]:
    """A logged decision as a short list: names of stages and notes only where there are some."""
    names = [name for name, _, _ in entry.stages]
    return [
        to_epoch(entry.since),
        entry.value,
        entry.pods,
        entry.status,
        entry.reason,
        entry.mode,
        entry.would_serve,
        to_epoch(entry.cutoff) if entry.cutoff else None,
        None if tuple(names) == STAGES else names,
        [load for _, load, _ in entry.stages],
        # What came later stands among the notes, where a release before looks past it.
        {str(i): note for i, (_, _, note) in enumerate(entry.stages) if note}
        | {k: v for k in ("target", "detail") if (v := getattr(entry, k)) is not None},
    ]


def decision_from_json(found: list[Any]) -> LoggedDecision:
    """The reverse of `decision_to_json`."""
    since, value, pods, status, reason, mode, would_serve, cutoff, names, loads, notes = found
    stages = zip(names or STAGES, loads, strict=True)
    return LoggedDecision(
        since=from_epoch(since),
        value=value,
        pods=pods,
        status=status,
        reason=reason,
        mode=mode,
        would_serve=would_serve,
        cutoff=from_epoch(cutoff) if cutoff is not None else None,
        stages=tuple((name, load, notes.get(str(i), "")) for i, (name, load) in enumerate(stages)),
        target=notes.get("target"),
        detail=notes.get("detail"),
    )


def pack_decisions(entries: Iterable[LoggedDecision]) -> bytes:
    """Decisions of one day, deflated; neighbours repeat most of each other's digits."""
    rows = [decision_to_json(entry) for entry in entries]
    return zlib.compress(json.dumps([_FORM, rows], allow_nan=False).encode(), 9)


def unpack_decisions(payload: bytes) -> list[LoggedDecision]:
    """The reverse of `pack_decisions`.

    Raises:
        StoreDamaged: as for arrays.
    """
    try:
        form, rows = json.loads(zlib.decompress(payload))
        if form != _FORM:
            raise StoreDamaged(f"a stored day of decisions has form {form}")
        return [decision_from_json(row) for row in rows]
    except (zlib.error, ValueError, TypeError) as error:
        raise StoreDamaged(f"a stored day of decisions cannot be read back ({error})") from error
