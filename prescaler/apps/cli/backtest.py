"""`backtest`: what the forecasts would have been on a trace, and how good."""

import os
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from prescaler.adapters.files.forecast_plot import check_plot, plot_forecasts
from prescaler.adapters.files.forecast_table import write_forecasts
from prescaler.adapters.files.traces import read_trace
from prescaler.adapters.files.whole import alone_in, whole
from prescaler.adapters.peers.holt_winters import HoltWinters
from prescaler.apps.cli.files import country_of, planned_events, zone_of
from prescaler.apps.cli.options import ERR, OUT, Config, Debug, Json, print_json, table_of
from prescaler.apps.cli.pool import pool_of
from prescaler.core.backtest import BacktestPlan, Fold, Model
from prescaler.core.calendar_model import CalendarModel
from prescaler.core.durations import format_duration, parse_duration
from prescaler.core.errors import BadParameter, NoSeries
from prescaler.core.event_book import EventIndex
from prescaler.core.planned import PlannedEvent
from prescaler.core.series import Series, coarsen
from prescaler.usecases.backtest import Backtest, backtest, summary
from prescaler.usecases.backtest import beside as run_beside

_LEAST_CUTOFFS: Final = 2


class Beside(StrEnum):
    """Known forecasters that a user may come from."""

    HOLT_WINTERS = "holt_winters"


_Events = Annotated[Path | None, typer.Option(help="Planned events: .csv, .ics or .yaml.")]
_Country = Annotated[
    str | None, typer.Option(help="As in FR: public holidays are no pattern for working days.")
]
_Other = Annotated[Beside | None, typer.Option(help="A known forecaster to compare with.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backtest")(run)


def run(
    csv: Annotated[Path, typer.Option(help="The trace: timestamp,value; gzip or not.")],
    out: Annotated[Path, typer.Option(help="Folder for the forecasts and the summary.")],
    events: _Events = None,
    timezone: Annotated[str, typer.Option(help="Civil time of the traffic.")] = "UTC",
    country: _Country = None,
    step: Annotated[str, typer.Option(help="Grid; a coarser trace keeps its own.")] = "5m",
    horizon: Annotated[str, typer.Option(help="How far ahead.")] = "24h",
    cutoffs: Annotated[int, typer.Option(help="Forecasts over the whole horizon.")] = 24,
    roll_every: Annotated[str, typer.Option(help="Between two short forecasts.")] = "15m",
    refit_every: Annotated[str, typer.Option(help="As in production.")] = "1h",
    history: Annotated[str, typer.Option(help="How far back it looks.")] = "56d",
    beside: _Other = None,
    processes: Annotated[int, typer.Option(min=0, help="0: one for each core.")] = 0,
    plot: Annotated[Path | None, typer.Option(help="A picture: PNG, SVG or PDF.")] = None,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Forecast the past of a trace from what was known then, and score it beside naive.

    Writes forecasts.csv.gz (24 h ahead), short.csv.gz (an hour ahead) and, last, summary.json to
    the folder. A planned event is used from its known_at on (empty: always). Exit 1 where the
    median is worse than the better naive forecast in any bucket.
    """
    plan = BacktestPlan(
        horizon=parse_duration(horizon),
        cutoffs=cutoffs,
        roll_every=parse_duration(roll_every),
        refit_every=parse_duration(refit_every),
        history=parse_duration(history),
    )
    _check(plan)
    zone, planned = zone_of(timezone), planned_events(events, timezone)
    fold = Fold(_series(csv, step), zone, country_of(country), plan.history)
    if plot is not None:
        check_plot(plot)
    with alone_in(out):
        result, other = _played(fold, plan, processes, _model(fold, planned), beside)
        found = summary(result)
        found["known"] = {"timezone": zone.key, "country": country, "events": len(planned)}
        if other is not None and beside is not None:
            found["beside"] = {beside.value: summary(other)["scores"] if other.whole else {}}
        _write(out, result, found)
    if plot is not None:
        plot_forecasts(plot, fold.series, result.whole, f"{csv.name}: forecasts of the past")
    return _told(found, out, as_json=as_json)


def _told(found: dict[str, Any], out: Path, *, as_json: bool) -> int:
    """Say it; 1 where naive is better somewhere."""
    if as_json:
        print_json(found)
    else:
        _show(found, out)
    worse = [b for b, s in found["scores"].items() if (s["error_ratio"] or 0.0) > 1.0]
    return 1 if worse else 0


def _check(plan: BacktestPlan) -> None:
    if plan.cutoffs < _LEAST_CUTOFFS:
        raise BadParameter(f"--cutoffs {plan.cutoffs}: at least {_LEAST_CUTOFFS} are needed")
    if not plan.horizon or not plan.roll_every:
        raise BadParameter("--horizon and --roll-every must be longer than nothing")


def _grid(own: timedelta, wanted: timedelta) -> timedelta:
    """The step that is asked for, or the trace's own where that is coarser."""
    step = max(own, wanted)
    if step % own or timedelta(days=1) % step:
        raise BadParameter(
            f"--step {format_duration(wanted)} must divide a day and be a multiple of the trace's "
            f"{format_duration(own)}"
        )
    return step


def _series(csv: Path, step: str) -> Series:
    fine = read_trace(csv)
    series = coarsen(fine, _grid(fine.step, parse_duration(step))).from_first_observation()
    if not len(series):
        raise NoSeries(f"{csv}: every value is missing")
    return series


def _model(fold: Fold, planned: Sequence[PlannedEvent]) -> Model | None:
    """None: the engine alone."""
    if not planned:
        return None
    book = EventIndex(list(planned)).book("trace", {})
    return CalendarModel(book, fold.zone, fold.country)


def _played(
    fold: Fold, plan: BacktestPlan, processes: int, model: Model | None, other: Beside | None
) -> tuple[Backtest, Backtest | None]:
    """Play it in processes: the arrays are too small for threads to pay."""
    workers = processes or len(os.sched_getaffinity(0))
    columns = (TextColumn("forecasts"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=ERR, transient=True) as bar, pool_of(workers) as pool:
        task = bar.add_task("forecasts")

        def tell(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        result = backtest(fold, plan, pool, tell, model)
        return result, run_beside(result, fold, HoltWinters(), pool) if other else None


def _write(out: Path, result: Backtest, found: dict[str, Any]) -> None:
    """The summary goes first and comes last: where it stands, the forecasts beside it are its."""
    told = out / "summary.json"
    try:
        told.unlink(missing_ok=True)
        write_forecasts(out / "forecasts.csv.gz", result.series, result.whole)
        write_forecasts(out / "short.csv.gz", result.series, result.short)
        with whole(told) as part:
            part.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise BadParameter(f"--out {out}: {error}") from error


def _show(found: dict[str, Any], out: Path) -> None:
    table = table_of("leads to", "instants", "error/naive", "WQL/naive", "<= q0.9", "0.95", "0.99")
    for bucket, score in found["scores"].items():
        reached = (f"{100 * (score['reached'][q] or 0):.1f} %" for q in ("0.9", "0.95", "0.99"))
        table.add_row(
            bucket,
            f"{score['instants']:,}",
            _ratio(score["error_ratio"]),
            _ratio(score["wql_ratio"]),
            *reached,
        )
    for name, scores in found.get("beside", {}).items():
        if not scores:
            OUT.print(f"{name} could not be fitted at any cutoff")
        for bucket, score in scores.items():
            row = (
                f"{score['instants']:,}",
                _ratio(score["error_ratio"]),
                _ratio(score["wql_ratio"]),
            )
            table.add_row(f"{name} {bucket}", *row)
    OUT.print(table)
    trace = found["trace"]
    OUT.print(
        f"{trace['points']:,} points of {trace['step']}, {trace['missing']:,} missing; forecasts "
        f"from {found['first_cutoff']} on; written to {out}"
    )


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
