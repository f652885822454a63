"""`backfill`: a year of demand in, and the forecasts that would have been made."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import Annotated, Any, Final, NoReturn

import typer

from prescaler.adapters.heap import collect_rarely
from prescaler.apps.cli.backfill_run import BackfillRun, Request
from prescaler.apps.cli.backfill_view import Row, show, view
from prescaler.apps.cli.moments import moment
from prescaler.apps.cli.options import ERR, OUT, Config, Debug, Json, config_path, print_json
from prescaler.config import Settings, load_settings
from prescaler.core.durations import parse_duration
from prescaler.core.errors import BadParameter, SourceOverloaded, SourceUnreachable, UnknownWorkload
from prescaler.core.spans import Span
from prescaler.core.workload import Workload
from prescaler.usecases.backfill_demand import BackfillRange
from prescaler.wiring import check_schema, clock, open_stores

_DAY: Final = timedelta(days=1)
_MOST_SIDE_BY_SIDE: Final = 16
_UNREACHABLE: Final = {SourceUnreachable.kind, SourceOverloaded.kind}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backfill)


def backfill(
    workloads: Annotated[list[str] | None, typer.Argument(help="Which ones.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that are configured.")] = False,
    since: Annotated[
        str | None, typer.Option(help="400d, or an instant; default: forecast.history.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Likewise; default: now.")] = None,
    forecasts: Annotated[
        str | None, typer.Option(help="Also the forecasts that the last so long would have seen.")
    ] = None,
    every: Annotated[
        str | None, typer.Option(help="One forecast so often; default: forecast.every.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be asked.")] = False,
    concurrency: Annotated[
        int, typer.Option(min=1, max=_MOST_SIDE_BY_SIDE, help="Requests in flight at once.")
    ] = 2,
    max_qps: Annotated[
        float | None, typer.Option(help="Most requests a second; default: as configured.")
    ] = None,
    processes: Annotated[int, typer.Option(min=0, max=64, help="Of the forecasts; 0: cores.")] = 0,
    again: Annotated[
        bool, typer.Option("--again", help="Ask also where the source was asked before.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Likewise, and what the source says now wins.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Bring history in from the sources, newest first; the same command goes on where it was.

    Exit 1 where a workload got nothing, 4 where a source was out of reach, 130 interrupted.
    """
    settings = load_settings(config_path(config), with_keys=False)
    chosen = _chosen(settings, workloads or [], everything=all_)
    request = _request(
        _Asked(since, until, forecasts, every),
        BackfillRange(Span(clock().now(), clock().now()), again or replace, replace),
        concurrency=concurrency,
        max_qps=max_qps,
        processes=processes,
    )
    stores = open_stores(settings.store.main, pool_size=concurrency + 2)
    check_schema(stores)
    run = BackfillRun(settings, stores, chosen, request)
    if dry_run:
        return _preview(run, as_json=as_json)
    collect_rarely()
    with _terminated_like_interrupted():
        rows = run.run(view(clock(), as_json=as_json))
    if as_json:
        print_json(run.document(rows))
    else:
        show([Row(row) for row in rows], seconds=run.seconds)
    if run.interrupted:
        ERR.print("interrupted; the same command goes on from here")
        _leave(130)
    return _exit_code(rows)


def _leave(code: int) -> NoReturn:
    """At once: threads that still wait for a server would keep the person waiting, too.

    They only fetch; everything that is stored was stored by this thread.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@dataclass(frozen=True)
class _Asked:
    """Options as typed."""

    since: str | None
    until: str | None
    forecasts: str | None
    every: str | None


def _request(
    asked: _Asked,
    wanted: BackfillRange,
    *,
    concurrency: int,
    max_qps: float | None,
    processes: int,
) -> Request:
    now = wanted.span.end
    if max_qps is not None and not 0 < max_qps < float("inf"):
        raise BadParameter(f"--max-qps {max_qps:g} must be more than 0")
    since = moment(asked.since, now, "--since") if asked.since is not None else None
    until = moment(asked.until, now, "--until") if asked.until is not None else None
    if since is not None and since >= (until or now):
        raise BadParameter(f"--since {asked.since} must lie before --until {asked.until or 'now'}")
    if asked.every is not None and asked.forecasts is None:
        raise BadParameter(
            "--every says how often to forecast; --forecasts how far back is missing"
        )
    walked = parse_duration(asked.forecasts) if asked.forecasts is not None else None
    every = parse_duration(asked.every) if asked.every is not None else None
    if every is not None and (not every or _DAY % every):
        raise BadParameter(f"--every {asked.every} must divide a day, as 15m, 1h or 6h do")
    return Request(
        since, until, wanted.again, wanted.replace, walked, every, concurrency, max_qps, processes
    )


def _chosen(settings: Settings, names: list[str], *, everything: bool) -> list[Workload]:
    if everything == bool(names):
        raise BadParameter("name the workloads, or say --all")
    if everything:
        return list(settings.workloads)
    found = {name: settings.workload(name) for name in names}
    missing = [name for name, workload in found.items() if workload is None]
    if missing:
        known = ", ".join(w.name for w in settings.workloads[:10]) or "none"
        raise UnknownWorkload(f"no workload {missing[0]!r} is configured (known: {known})")
    return [workload for workload in found.values() if workload is not None]


def _preview(run: BackfillRun, *, as_json: bool) -> int:
    rows = run.preview()
    if as_json:
        print_json({"dry_run": True, "workloads": rows})
        return 0
    for row in rows:
        forecasts = f", {row['forecasts']:,} forecasts" if row["forecasts"] else ""
        OUT.print(
            f"{row['workload']}: {row['requests']:,} requests for {row['days']:.1f} days in "
            f"{len(row['stretches'])} stretches, at least {row['seconds']:.0f} s{forecasts}",
            highlight=False,
        )
    return 0


def _exit_code(rows: list[dict[str, Any]]) -> int:
    kinds = {row["failure_kind"] for row in rows} - {None}
    if kinds & _UNREACHABLE:
        return 4
    empty = any(row["points"] == 0 for row in rows)
    return 1 if kinds or empty else 0


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """A service manager's SIGTERM ends it as Ctrl-C does: resumable."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
