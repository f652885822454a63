"""Recompute what the demonstration printed, from its stored forecasts, without prescaler's code.

    python scripts/recompute_answer.py [FOLDER]

Reads answers.json, prescaler.yaml and prescaler.sqlite in FOLDER (default: .demo), and works each
value out again from the formulas in docs/architecture.md: the stored quantile, times the peak
inside the step, maximum over what is due at the moment of the answer. Exits with 1 and a reason
where a figure differs by more than its last digit.
"""

import json
import math
import sqlite3
import struct
import sys
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

SYNC, POD_START, NODE_START, SPARE_ROOM, HOLD = 15, 60, 240, 0.15, 300
DIGIT = 0.001


def stored_forecast(database: Path, workload: str, cutoff: str) -> dict[str, Any]:
    """The forecast run of a workload and cutoff, unpacked by hand."""
    query = """
        SELECT r.payload FROM forecast_run r
        JOIN history_version v ON v.id = r.version_id
        JOIN workload w ON w.id = v.workload_id
        WHERE w.name = ? AND r.cutoff = ? AND r.origin = 'live'"""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        row = connection.execute(query, (workload, epoch(cutoff))).fetchone()
    if row is None:
        raise SystemExit(f"{workload}: no forecast with cutoff {cutoff} is stored")
    body = zlib.decompress(row[0])
    _, length = struct.unpack_from("<BI", body)
    head: dict[str, Any] = json.loads(body[5 : 5 + length])
    planes = np.frombuffer(body, dtype=np.uint8, offset=5 + length).reshape(4, -1)
    flat = np.ascontiguousarray(planes.T).view("<f4").ravel().astype(float)
    sizes = [math.prod(shape) for shape in head["shapes"]]
    values, peak_ratio, _ = np.split(flat, np.cumsum(sizes)[:-1])
    head["values"] = values.reshape(head["shapes"][0])
    head["peak_ratio"] = peak_ratio
    return head


def epoch(instant: str) -> int:
    """Seconds since 1970 of `2026-11-24T20:41:00Z`."""
    return int(datetime.strptime(instant, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())


def lead_seconds(before: int, wanted: int) -> float:
    """HPA syncs of the ramp max(2 n, 4), pod start, and a node where the spare room is used up."""
    steps, pods = 1, max(2 * before, 4)
    while pods < wanted:
        steps, pods = steps + 1, 2 * pods
    node = NODE_START if wanted - before > SPARE_ROOM * before else 0
    return steps * SYNC + POD_START + node


def recomputed(answer: dict[str, Any], declared: dict[str, Any], database: Path) -> float:
    """The value at `served_at`, in the unit of the answer."""
    forecast = stored_forecast(database, answer["workload"], answer["cutoff"])
    step, now = forecast["step"], epoch(answer["served_at"])
    row = forecast["quantiles"].index(declared["policy"]["quantile"])
    load = forecast["values"][row] * forecast["peak_ratio"]
    capacity = declared["capacity"]
    target = capacity["per_pod"] * capacity["utilisation"]
    target = target if capacity.get("unit") == "pods" else math.floor(target + 1e-9)
    least = declared["scale_target"]["min_pods"]
    pods = [max(least, math.ceil(x / target - 1e-9)) for x in load]
    span = math.ceil(lead_seconds(1, max(pods)) / step)
    highest = 0.0
    for i, wanted in enumerate(pods):
        start = epoch(answer["cutoff"]) + (i + 1) * step
        before = min(([pods[0]] * span + pods[:i])[-span:])
        due = start - math.ceil(lead_seconds(before, wanted)) - HOLD
        if due <= now < start + step:
            highest = max(highest, float(load[i]))
    if answer["unit"] == "pods":
        return float(math.ceil(highest / target - 1e-9))
    return math.ceil(highest * 1000 - 1e-6) / 1000


def main() -> int:
    """Compare every answer; 0 where all agree."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".demo")
    answers = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    config = yaml.safe_load((folder / "prescaler.yaml").read_text(encoding="utf-8"))
    declared = {workload["name"]: workload for workload in config["workloads"]}
    failed = 0
    for answer in answers:
        name = answer["workload"]
        value = recomputed(answer, declared[name], folder / "prescaler.sqlite")
        agrees = abs(value - answer["value"]) <= DIGIT + 1e-9
        failed += not agrees
        word = "agrees with" if agrees else "DIFFERS from"
        print(f"{name}: recomputed {value:.3f} {word} the answer {answer['value']:.3f}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
