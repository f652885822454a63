"""`replay`: a past period under every policy, and the cheapest one that keeps a promise."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from prescaler.adapters.files.replay_page import write_page
from prescaler.adapters.files.traces import read_trace
from prescaler.apps.cli.files import country_of, planned_events, zone_of
from prescaler.apps.cli.options import ERR, Config, Debug, Json, config_path, print_json
from prescaler.apps.cli.pool import pool_of
from prescaler.apps.cli.replay_view import show
from prescaler.config import load_settings
from prescaler.core.durations import parse_duration
from prescaler.core.errors import BadParameter, UnknownWorkload
from prescaler.core.instants import format_instant, parse_instant
from prescaler.core.planned import PlannedEvent
from prescaler.core.replay.advice import Verdict
from prescaler.core.replay.ground import Arm
from prescaler.core.replay.measures import Prices
from prescaler.core.replay.objects import Place
from prescaler.core.replay.promise import Promise
from prescaler.core.series import Series
from prescaler.usecases.read_calendar import CalendarReader
from prescaler.usecases.replay_document import document
from prescaler.usecases.replay_period import (
    PRESENT_UTILISATION,
    Crew,
    Replay,
    Subject,
    Wish,
    occurrences,
    period,
    replay_period,
)
from prescaler.usecases.replay_subject import SubjectPorts, TraceFacts, of_trace, of_workload
from prescaler.wiring import check_schema, clock, open_stores, reactive_sources

_PROMISE: Final = "10m/30d"
_NO: Final = 1


_Events = Annotated[Path | None, typer.Option(help="Planned events: .csv, .ics or .yaml.")]
_PerPod = Annotated[float | None, typer.Option(help="Load units that a pod carries at its limit.")]
_Until = Annotated[
    str | None,
    typer.Option(help="The end, as in 2026-11-24T20:00:00Z; default: all that is known."),
]
_Kept = Annotated[
    str | None, typer.Option(help="Bad minutes as in 10m/30d, or dropped as in 0.01%.")
]
_SpotLoss = Annotated[
    float, typer.Option(help="Chance that a node is lost in an hour, as in 0.02.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay")(run)


def run(
    workload: Annotated[str | None, typer.Argument(help="Name, or --csv instead.")] = None,
    csv: Annotated[Path | None, typer.Option(help="A trace: timestamp,value.")] = None,
    events: _Events = None,
    timezone: Annotated[str, typer.Option(help="Civil time of a trace.")] = "UTC",
    country: Annotated[str | None, typer.Option(help="Of a trace, as in FR.")] = None,
    capacity: _PerPod = None,
    utilisation: Annotated[
        float, typer.Option(min=0.05, max=1.0, help="Present target of a trace's HPA.")
    ] = PRESENT_UTILISATION,
    since: Annotated[str, typer.Option(help="How far back from the end.")] = "28d",
    until: _Until = None,
    arms: Annotated[str | None, typer.Option(help="As in reactive,prescaler; all.")] = None,
    promise: _Kept = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the first run's luck.")] = 1,
    runs: Annotated[int, typer.Option(min=1, max=100, help="How many lucks.")] = 5,
    spot_loss: _SpotLoss = 0.0,
    price: Annotated[float, typer.Option(min=0, help="Of a pod-hour.")] = Prices().pod_hour,
    sweep: Annotated[bool, typer.Option(help="Frontier and advice.")] = True,
    html: Annotated[Path | None, typer.Option(help="A report to look at, in one file.")] = None,
    processes: Annotated[int, typer.Option(min=0, help="0: one for each core.")] = 0,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Play the past again under reactive scaling, today's windows, prescaler and an oracle.

    Exit 1 where a promise was asked about and prediction is not what keeps it.
    """
    wish = Wish(
        since=parse_duration(since),
        until=parse_instant(until) if until is not None else None,
        arms=_arms(arms),
        promise=Promise.parse(promise or _PROMISE),
        seeds=tuple(range(seed, seed + runs)),
        sweep=sweep,
        prices=Prices(pod_hour=price),
        spot_loss=spot_loss,
    )
    if promise is not None and not sweep:
        raise BadParameter("--promise is looked for in the sweep; leave --no-sweep out")
    if (workload is None) == (csv is None):
        raise BadParameter("say either the name of a workload or --csv FILE")
    planned = planned_events(events, timezone)
    if csv is not None:
        zone, days_off, name = zone_of(timezone), country_of(country), csv.name.split(".")[0]
        facts = TraceFacts(name, zone, days_off, _positive(capacity), utilisation)
        subject = of_trace(_until_its_end(read_trace(csv), wish), facts, planned)
        place = Place()
    else:
        subject, place = _stored(config_path(config), workload or "", wish, planned)
    _writable(html)
    if events is not None:
        _tell_of_no_part(events, planned, subject, wish)
    found = _played(subject, wish, processes)
    _tell(document(found, place), html, as_json=as_json)
    return _NO if promise is not None and sweep and not _pays(found) else 0


def _tell(told: dict[str, Any], html: Path | None, *, as_json: bool) -> None:
    if html is not None:
        write_page(html, told)
    if as_json:
        print_json(told)
    else:
        show(told)


def _pays(found: Replay) -> bool:
    advice = found.advice
    return advice is not None and advice.verdict is Verdict.PREDICTION_PAYS and advice.kept


def _arms(text: str | None) -> tuple[Arm, ...]:
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    unknown = [name for name in names if name not in set(Arm)]
    if unknown:
        known = ", ".join(arm.value for arm in Arm)
        raise BadParameter(f"--arms {unknown[0][:40]!r}: there are {known}")
    return tuple(dict.fromkeys(Arm(name) for name in names))


def _positive(capacity: float | None) -> float | None:
    if capacity is not None and not 0 < capacity < float("inf"):
        raise BadParameter(f"--capacity {capacity:g}: a pod carries more than nothing")
    return capacity


def _until_its_end(series: Series, wish: Wish) -> Series:
    if wish.until is not None and wish.until > series.end:
        raise BadParameter(
            f"--until {format_instant(wish.until)}: the file ends at {format_instant(series.end)}"
        )
    return series


def _stored(
    path: Path, name: str, wish: Wish, planned: Sequence[PlannedEvent]
) -> tuple[Subject, Place]:
    """The workload's past, and what its ScaledObject points at."""
    now = clock().now()
    if wish.until is not None and wish.until > now:
        raise BadParameter(f"--until {format_instant(wish.until)} lies in the future")
    settings = load_settings(path)
    workload = settings.workload(name)
    if workload is None:
        raise UnknownWorkload(f"no workload {name!r} is configured")
    stores = open_stores(settings.store.main)
    try:
        check_schema(stores)
        subject = of_workload(
            workload,
            SubjectPorts(stores.workloads, stores.demand, CalendarReader(stores.events)),
            since=wish.since,
            until=min(workload.known_until(now), wish.until or now),
            more=planned,
        )
    finally:
        stores.database.close()
    sources = tuple(reactive_sources(settings, workload))
    return subject, Place(settings.server.public_url, sources)


def _tell_of_no_part(
    path: Path, planned: Sequence[PlannedEvent], subject: Subject, wish: Wish
) -> None:
    """A wrong year, or a table without rows, must not look like events that change nothing."""
    if not planned:
        ERR.print(f"no event of {path.name} that can be used", style="yellow", markup=False)
        return
    mine = {one.id for one in planned}
    if not any(one.event.id in mine for one in occurrences(subject.book, *period(subject, wish))):
        text = f"none of the {len(planned)} events of {path.name} lies in the period"
        ERR.print(text, style="yellow", markup=False)


def _writable(html: Path | None) -> None:
    """Before the work, so that none is lost to a folder that is not there."""
    if html is not None and html.is_dir():
        raise BadParameter(f"--html {html} is a folder; name the file")
    if html is not None and not (html.parent.is_dir() and os.access(html.parent, os.W_OK)):
        raise BadParameter(f"--html {html}: the folder is not there, or cannot be written to")


def _played(subject: Subject, wish: Wish, processes: int) -> Replay:
    workers = processes or len(os.sched_getaffinity(0))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=ERR, transient=True) as bar, crew_of(workers) as crew:
        task = bar.add_task("forecasts", total=1.0)

        def tell(share: float, stage: str) -> bool:
            bar.update(task, completed=share, description=stage)
            return True

        return replay_period(subject, wish, crew, tell)


@contextmanager
def crew_of(workers: int) -> Iterator[Crew]:
    """Processes and threads that end with the block, at once."""
    threads = ThreadPoolExecutor(workers)
    with pool_of(workers) as processes:
        try:
            yield Crew(processes, threads)
        finally:
            processes.shutdown(wait=False, cancel_futures=True)
            threads.shutdown(wait=True, cancel_futures=True)
