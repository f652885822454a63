"""Peers of the forecast benchmark: run them in their own environment, score their files."""

import hashlib
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from bench.traces import Trace
from prescaler.adapters.files.forecast_table import read_cases
from prescaler.core.quantiles import QUANTILES
from prescaler.core.scores import BucketScore, Cases, cases_of, score

PEERS: Final = ("holt_winters", "mstl_level", "prophet", "statsforecast_mstl")
_FINE: Final = timedelta(minutes=5)
_SLOW: Final = ("mstl_level", "statsforecast_mstl")
_EVERY: Final = 4
"""Peers forecast at every fourth cutoff of the day grid; all of them would take four hours."""

_SPARSE: Final = 4
"""With a weekly season at 5 minutes one MSTL takes 14 s: there every fourth of those has to do."""

_MANY_POINTS: Final = 15 * 288
_GIVEN: Final = ("q0.5", "q0.75", "q0.9", "q0.95", "q0.99")
_LIMIT_SECONDS: Final = 60


def run_peers(traces: list[Trace], out: Path) -> None:
    """Let every peer forecast at the day grid's cutoffs of every trace.

    A finished table is kept as long as nothing it was made from has changed (`_made_from`): peers
    know nothing of prescaler, and all of them take an hour.
    """
    python = Path(".venv-peers/bin/python")
    if not python.exists():
        sys.exit("the peers have an environment of their own: scripts/setup_peers.sh")
    for trace in traces:
        table = pd.read_csv(out / trace.name / "forecasts.csv.gz", usecols=["cutoff"])
        cutoffs = sorted(set(table["cutoff"]))[::_EVERY]
        sparse = _SPARSE if len(trace.series) > _MANY_POINTS and trace.step <= _FINE else 1
        fast = tuple(peer for peer in PEERS if peer not in _SLOW)
        _run(python, trace, out, "peers", fast, cutoffs)
        _run(python, trace, out, "peers_slow", _SLOW, cutoffs[::sparse])


def _run(
    python: Path, trace: Trace, out: Path, name: str, peers: tuple[str, ...], cutoffs: list[str]
) -> None:
    folder = out / trace.name
    listed, stamp = folder / f"{name}.txt", folder / f"{name}.sha256"
    listed.write_text("\n".join(cutoffs) + "\n")
    made_from = _made_from(trace, listed, peers)
    if stamp.exists() and stamp.read_text() == made_from:
        sys.stderr.write(f"{trace.name}: {', '.join(peers)} are here already\n")
        return
    stamp.unlink(missing_ok=True)
    command = [str(python), "bench/peers.py", str(trace.path), "--zone", str(trace.zone)]
    command += ["--step-seconds", str(int(trace.step.total_seconds()))]
    command += ["--cutoffs", str(listed), "--out", str(folder / f"{name}.csv.gz")]
    command += ["--peers", ",".join(peers), "--limit-seconds", str(_LIMIT_SECONDS)]
    subprocess.run(command, check=True)
    stamp.write_text(made_from)


def _made_from(trace: Trace, listed: Path, peers: tuple[str, ...]) -> str:
    """Checksum of what a table of peers depends on: program, packages, trace, cutoffs, names."""
    parts = [
        Path("bench/peers.py").read_bytes(),
        Path("requirements/peers.txt").read_bytes(),
        trace.path.read_bytes(),
        listed.read_bytes(),
        f"{peers} {trace.zone} {trace.step} {_LIMIT_SECONDS}".encode(),
    ]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def peer_rows(trace: Trace, out: Path, peer: str) -> dict[str, BucketScore]:
    """Scores of one peer on one trace; empty where it gave nothing."""
    groups = list(_table(trace, out, peer).groupby("cutoff", sort=True))
    if not groups:
        return {}
    index = [_first_step(trace, str(cutoff)) for cutoff, _ in groups]
    values = np.full((len(groups), len(groups[0][1]), len(QUANTILES)), np.nan)
    for row, (_, group) in enumerate(groups):
        for name in _GIVEN:
            values[row, :, QUANTILES.index(float(name[1:]))] = group[name]
    return score(trace.series, cases_of(trace.series, index, values))


def beside(peer: str) -> str:
    """What our row at the cutoffs of a peer is called."""
    return f"prescaler beside {peer}"


def rows_beside(trace: Trace, out: Path, peer: str) -> dict[str, BucketScore]:
    """Our scores at the cutoffs at which a peer forecast; empty where it gave nothing."""
    cutoffs = _table(trace, out, peer)["cutoff"].unique()
    if not len(cutoffs):
        return {}
    whole = read_cases(out / trace.name / "forecasts.csv.gz", trace.series)
    here = np.isin(whole.index, [_first_step(trace, str(cutoff)) for cutoff in cutoffs])
    return score(
        trace.series, Cases(whole.index[here], whole.actual[here], np.asarray(whole.values)[here])
    )


def _table(trace: Trace, out: Path, peer: str) -> pd.DataFrame:
    """What a peer forecast; no rows where it gave nothing."""
    path = out / trace.name / f"{'peers_slow' if peer in _SLOW else 'peers'}.csv.gz"
    if not path.exists():
        return pd.DataFrame({"cutoff": [], "peer": []})
    table = pd.read_csv(path)
    return table[table["peer"] == peer]


def _first_step(trace: Trace, cutoff: str) -> int:
    """Place in the series of the first step behind a cutoff."""
    return trace.series.index_of(pd.Timestamp(cutoff).to_pydatetime()) + 1
