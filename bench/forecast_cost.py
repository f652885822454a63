"""CPU seconds and memory of a refit and a roll, on one core; part of `make bench-forecast`.

    python bench/forecast_cost.py [--peers]

Synthetic demand (a figure of cost does not depend on where the numbers come from) at 8,064 points
(28 days of 5 min) and 40,320 (28 days of 1 min), 24 h ahead with all quantiles. A refit is all that
production does between two rolls: rolling-origin errors, calibration, and its own first roll; the
heap is kept as in production's workers. --peers: one fit and forecast of each peer on the same
demand, in the environment of scripts/setup_peers.sh.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

SIZES = ((8_064, 5), (40_320, 1))
ROUNDS = 15
_HEAD = (
    "| history | refit, median (best) ms CPU | roll ms | first refit ms | imports ms | peak MB "
    "| workloads an hour and core (a refit and 12 rolls each) |"
)


def cpu(job: Callable[[], object]) -> float:
    """CPU milliseconds of one run."""
    started = time.process_time()
    job()
    return 1e3 * (time.process_time() - started)


def measure(points: int, minutes: int) -> dict[str, float]:
    """Milliseconds by what was done, in a fresh process; memory in MB."""
    start = time.process_time()
    from prescaler.adapters.heap import keep_freed_memory
    from prescaler.core.calendar import DAY
    from prescaler.core.engine import refit, roll
    from prescaler.core.history import History
    from prescaler.core.series import Series
    from tests.support.builders import MONDAY, PARIS, daily_demand

    keep_freed_memory()
    imported = 1e3 * (time.process_time() - start)
    step = timedelta(minutes=minutes)
    values = daily_demand(points * step / DAY, step=step)
    horizon = DAY // step
    history = History.of(Series(MONDAY, step, values, values), PARIS, horizon)
    cold = cpu(lambda: refit(history, horizon))
    state = refit(history, horizon)
    refits = sorted(cpu(lambda: refit(history, horizon, state)) for _ in range(ROUNDS))
    rolls = sorted(cpu(lambda: roll(state, history, horizon)) for _ in range(ROUNDS))
    return {
        "import": imported,
        "cold": cold,
        "refit": refits[ROUNDS // 2],
        "refit_best": refits[0],
        "roll": rolls[ROUNDS // 2],
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def row(points: int, minutes: int) -> str:
    """Measured in a process of its own, so that `cold` and memory mean it."""
    code = (
        "import json; from bench.forecast_cost import measure; "
        f"print(json.dumps(measure({points}, {minutes})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return (
        f"| {points:,} x {minutes} min | {found['refit']:.0f} ({found['refit_best']:.0f}) | "
        f"{found['roll']:.1f} | {found['cold']:.0f} | {found['import']:.0f} | "
        f"{found['memory']:.0f} | {3.6e6 / (found['refit'] + 12 * found['roll']):,.0f} |"
    )


def peer_row(points: int, minutes: int) -> str:
    """CPU seconds of one fit and forecast of each peer, "> 60" where it takes longer."""
    import pandas as pd

    from bench.peer_scores import PEERS
    from prescaler.core.calendar import DAY
    from tests.support.builders import MONDAY, daily_demand

    step = timedelta(minutes=minutes)
    stamps = pd.date_range(MONDAY, periods=points, freq=step)
    demand = pd.DataFrame(
        {"timestamp": stamps, "value": daily_demand(points * step / DAY, step=step)}
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        demand.to_csv(folder / "trace.csv", index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
        (folder / "cutoffs").write_text(stamps[-1].strftime("%Y-%m-%dT%H:%M:%SZ\n"))
        command = [".venv-peers/bin/python", "bench/peers.py", str(folder / "trace.csv")]
        command += ["--zone", "Europe/Paris", "--step-seconds", str(60 * minutes)]
        command += ["--cutoffs", str(folder / "cutoffs"), "--out", str(folder / "out.csv.gz")]
        subprocess.run(command, check=True)
        took = pd.read_csv(folder / "out.csv.gz").groupby("peer")["seconds"].first()
    found = (f"{took[peer]:.2f}" if peer in took else "> 60" for peer in PEERS)
    return f"| {points:,} x {minutes} min | {' | '.join(found)} |"


def peer_table() -> list[str]:
    """What the peers take, in seconds."""
    from bench.peer_scores import PEERS

    head = f"| history | {' | '.join(f'{peer}, s CPU' for peer in PEERS)} |"
    return ["", head, "|---" * (len(PEERS) + 1) + "|", *(peer_row(*size) for size in SIZES)]


def main(arguments: list[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--peers", action="store_true")
    given = parser.parse_args(arguments)
    lines = [
        _HEAD,
        "|---|---|---|---|---|---|---|",
        *(row(points, minutes) for points, minutes in SIZES),
        *(peer_table() if given.peers else ()),
    ]
    text = "\n".join(lines)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "cost.md").write_text(text + "\n")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
