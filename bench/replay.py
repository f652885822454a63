"""The autoscaling benchmark: every arm on every 1-minute trace, and what a crowd does to them.

`make bench-replay TRACES=DIR` prints the tables and writes raw results: OUT/TRACE.json (as in
docs/replay.md), OUT/TRACE.html, OUT/TRACE-frontier.svg, OUT/summary.json. A trace NAME.csv.gz goes
with the calendar `WORD_events.csv` of its name's first word, if there is one (wc98_web:
wc98_events.csv). Walks of forecasts take minutes each; each week of them is kept in OUT/walks, and
used again as long as the engine is the same: a run that was interrupted goes on.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from bench.replay_advice import worth
from bench.replay_cases import DAY, SEEDS, Bench, Case, Points, cases, dearest
from bench.replay_goals import goals
from bench.replay_picture import frontier_picture
from bench.replay_stress import never_below, stress
from prescaler.adapters.files.replay_page import write_page
from prescaler.apps.scheduler.job import prepare_worker
from prescaler.core.replay.arms import play
from prescaler.core.replay.ground import FORECAST_ARMS, Arm, Setting
from prescaler.core.replay.words import told
from prescaler.usecases.replay_document import document
from prescaler.usecases.replay_period import (
    QUANTILES,
    UTILISATIONS,
    Crew,
    Replay,
    occurrences,
    replay_walked,
)

Rows = list[dict[str, object]]


def whole(bench: Bench, case: Case) -> Replay:
    """Arms, sweep and advice of one case, written down."""
    arms = FORECAST_ARMS if occurrences(case.subject.book, case.start, case.end) else (Arm.PLAIN,)
    walks = bench.walks(case, arms)
    began = time.monotonic()
    found = replay_walked(case.subject, case.wish, walks, bench.crew, _go_on)
    print(f"  played {case.name}: {time.monotonic() - began:.0f} s", flush=True)
    plain = document(found)
    (bench.out / f"{case.name}.json").write_text(json.dumps(plain))
    write_page(bench.out / f"{case.name}.html", plain)
    frontier_picture(bench.out / f"{case.name}-frontier.svg", plain)
    return found


def _go_on(_share: float, _stage: str) -> bool:
    return True


def arm_table(found: Replay) -> None:
    """One trace, one row an arm."""
    print(f"\n### {found.subject.workload.name}, {found.start:%Y-%m-%d} to {found.end:%Y-%m-%d}\n")
    print(
        "| arm | pod-hours | dropped % | bad min/week | tau_U | tau_O | used % | kWh "
        "| in events % | ready % | late min |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    plain = document(found)
    for row in plain["arms"]:
        m, e = row["all"], row["in_events"]
        crowd = "" if e is None else f"{100 * e['dropped']:.4f}"
        ready = "" if row["readiness"] is None else f"{100 * row['readiness']:.1f}"
        late = "" if row["minutes_late"] is None else f"{row['minutes_late']:.1f}"
        print(
            f"| {row['setting']['text']} | {m['pod_hours']:,.0f} | {100 * m['dropped']:.4f} "
            f"| {m['bad_minutes_a_week']:.1f} | {m['under_time']:.2f} | {m['over_time']:.1f} "
            f"| {100 * m['utilisation']:.0f} | {m['kwh']:,.0f} "
            f"| {crowd} | {ready} | {late} |"
        )
    for word in (plain["advice"] or {"words": []})["words"]:
        print(f"* {word}")


def summary(bench: Bench, found: Sequence[Case]) -> tuple[Rows, Rows]:
    """Every trace: extra pod-hours at no more dropped, what the advice says, what it is worth."""
    rows, advised = [], []
    for case in found:
        replay = whole(bench, case)
        arm_table(replay)
        ours = [one for one in replay.sweep if one.setting.arm in FORECAST_ARMS]
        alone = [one for one in replay.sweep if one.setting.arm is Arm.REACTIVE]
        most, least = dearest(Points(alone), Points(ours))
        advice = replay.advice
        row: dict[str, object] = {
            "trace": case.name,
            "days": (case.end - case.start) / DAY,
            "most_extra": most,
            "least_extra": least,
            "verdict": advice.verdict.value if advice else None,
            "advised": told(advice.best.setting) if advice and advice.best else None,
            "kept": advice.kept if advice else None,
        }
        if advice and advice.best and advice.reactive:
            best, reactive = advice.best, advice.reactive
            row["extra_first"] = best.chosen_on.pod_hours / reactive.chosen_on.pod_hours - 1
            row["extra_last"] = best.verified_on.pod_hours / reactive.verified_on.pod_hours - 1
        rows.append({**row, **never_below(bench, case)})
        advised.append(worth(replay))
    return rows, advised


def speed(bench: Bench, case: Case) -> dict[str, object]:
    """Seconds for one arm, and for a sweep of 60 configurations, once the forecasts are there."""
    arm = Arm.CALENDAR if case.subject.book.events else Arm.PLAIN
    ground = bench.ground(case, [arm])
    play(Setting(Arm.REACTIVE, 0.7), ground, (1,))
    began, used = time.monotonic(), time.process_time()
    play(Setting(arm, 0.7, 0.95), ground, (1,))
    one, one_cpu = time.monotonic() - began, time.process_time() - used
    settings = [Setting(arm, u, q) for q in QUANTILES for u in UTILISATIONS]
    began, used = time.monotonic(), time.process_time()
    bench.play(ground, settings)
    return {
        "days": len(ground.load) / 5760,
        "one_arm_seconds": one,
        "one_arm_cpu_seconds": one_cpu,
        "settings": len(settings),
        "seeds": len(SEEDS),
        "sweep_seconds": time.monotonic() - began,
        "sweep_cpu_seconds": time.process_time() - used,
    }


def _print(title: str, rows: Sequence[dict[str, object]]) -> None:
    """Any rows as a Markdown table."""
    print(f"\n### {title}\n")
    first = max(rows, key=len)
    names = [name for name in first if not isinstance(first[name], list)]
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for row in rows:
        print(f"| {' | '.join(_cell(row.get(name)) for name in names)} |")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.5g}"
    return "" if value is None else str(value)


def main() -> None:
    """Everything, or only some parts of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("traces", type=Path)
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    parser.add_argument("--only", choices=("traces", "goals", "stress", "speed"))
    parser.add_argument("--trace", help="only this one")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    found = [case for case in cases(asked.traces) if asked.trace in (None, case.name)]
    if not found:
        raise SystemExit(f"{asked.traces} holds no trace of one minute")
    workers = len(os.sched_getaffinity(0))
    with (
        ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=prepare_worker
        ) as processes,
        ThreadPoolExecutor(workers) as threads,
    ):
        bench = Bench(asked.out, Crew(processes, threads))
        results = _results(bench, found, asked.only)
    name = f"summary-{asked.only}.json" if asked.only else "summary.json"
    (asked.out / name).write_text(json.dumps(results, indent=1, default=str))


def _results(bench: Bench, found: Sequence[Case], only: str | None) -> dict[str, Rows]:
    planned = [case for case in found if case.subject.book.events]
    results: dict[str, Rows] = {}
    if only in (None, "traces"):
        results["traces"], results["advice"] = summary(bench, found)
        _print("All traces", results["traces"])
        _print("What the advice is worth", results["advice"])
    for case in planned:
        if only in (None, "goals"):
            results["goals"] = goals(bench, case)
            for row in results["goals"]:
                _print(str(row["goal"]), [row])
        if only in (None, "stress"):
            results["stress"] = stress(bench, case)
            _print("Stress", results["stress"])
    if only in (None, "speed"):
        results["speed"] = [speed(bench, (planned or list(found))[0])]
        _print("Speed", results["speed"])
    return results


if __name__ == "__main__":
    main()
