"""`why`, `mode`, `freeze`, `override`, `guard`: what was served, and people at the wheel."""

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

import typer

from prescaler.apps.api.shapes import control_json
from prescaler.apps.cli.control_view import control_line
from prescaler.apps.cli.options import OUT, Config, Debug, Json, config_path, print_json, table_of
from prescaler.config import load_settings
from prescaler.core.control import Control
from prescaler.core.errors import BadParameter, UnknownWorkload
from prescaler.core.explain import Explanation, explain, local_instant, until
from prescaler.core.instants import format_instant
from prescaler.core.policy import Mode
from prescaler.usecases import change_control
from prescaler.usecases.change_control import Change, ControlPorts
from prescaler.usecases.log_decisions import KEEP
from prescaler.usecases.serve_metric import Served
from prescaler.wiring import Stores, check_schema, clock, load_serving, open_stores

_SECOND: Final = timedelta(seconds=1)

Name = Annotated[str, typer.Argument(help="Name of the workload.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; stands in the audit.")]
Until = Annotated[
    str | None,
    typer.Option("--until", help='When it ends: "2h", or "2026-11-24 23:30" of the workload.'),
]
Author = Annotated[str | None, typer.Option("--author", help="Who; default: who is logged in.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (why, mode, freeze, override, guard):
        app.command()(command)


@dataclass(frozen=True)
class _Opened:
    """A workload with everything stored about it."""

    served: Served
    stores: Stores
    now: datetime

    def end(self, text: str | None) -> datetime | None:
        return None if text is None else until(text, self.served.policy.timezone, self.now)


@contextmanager
def _opened(config: Config, name: str) -> Iterator[_Opened]:
    settings = load_settings(config_path(config), with_keys=False)
    workload = settings.workload(name)
    if workload is None:
        names = ", ".join(sorted(w.name for w in settings.workloads)[:20])
        raise UnknownWorkload(f"no workload {name!r} is configured; there are: {names}")
    stores = open_stores(settings.store.main)
    try:
        check_schema(stores)
        now = clock().now().replace(microsecond=0)
        yield _Opened(load_serving(workload, stores, now), stores, now)
    finally:
        stores.database.close()


def why(
    workload: Name,
    at: Annotated[
        str | None,
        typer.Option(
            help='When, in local time of the workload ("2026-11-24 20:41") or with an '
            "offset; default: now."
        ),
    ] = None,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Say what KEDA was told at a moment, and why; exit 1 where nothing is known."""
    with _opened(config, workload) as opened:
        served, zone = opened.served, opened.served.policy.timezone
        instant = local_instant(at, zone) if at is not None else opened.now
        version = served.state.version
        found = (
            opened.stores.decisions.between(version.workload, instant, instant + _SECOND)[:1]
            if version is not None and instant <= opened.now
            else []
        )
        if not found:
            text = _nothing(instant, opened.now)
            print_json({"error": text}) if as_json else OUT.print(text, highlight=False)
            return 1
        told = explain(found[0], served.policy.target, zone, instant)
    if as_json:
        print_json({"workload": workload, "at": format_instant(instant), **asdict(told)})
    else:
        _show(workload, told)
    return 0


def _nothing(instant: datetime, now: datetime) -> str:
    if instant > now:
        return "that moment has not come yet; `GET .../plan` tells what is planned"
    if now - instant > KEEP:
        return f"decisions are kept for {KEEP.days} days; that moment is longer ago"
    return "nothing was logged for that moment: no leader had decided for this workload yet"


def _show(workload: str, told: Explanation) -> None:
    OUT.print(f"{workload}, {told.headline}", markup=False, highlight=False)
    for fact in told.facts:
        OUT.print(f"  {fact}", markup=False, highlight=False)
    table = table_of("stage", "load", "pods", "what it is")
    for column in (1, 2):
        table.columns[column].justify = "right"
    for stage in told.stages:
        load = "-" if stage.load is None else f"{stage.load:,.1f}"
        pods = "-" if stage.pods is None else str(stage.pods)
        table.add_row(stage.stage, load, pods, stage.text)
    OUT.print(table)


def mode(
    workload: Name,
    to: Annotated[Mode, typer.Argument(help="off, shadow, capped, active; the file's clears it.")],
    reason: Reason,
    end: Until = None,
    author: Author = None,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Set another mode than the file's; the trust ladder then leaves it alone."""
    with _opened(config, workload) as opened:
        _apply(
            opened,
            lambda served, change, ports: change_control.set_mode(served, to, change, ports),
            (reason, opened.end(end), author),
            as_json=as_json,
        )


def freeze(
    workload: Name,
    reason: Reason,
    end: Until = None,
    clear: Annotated[bool, typer.Option("--clear", help="End a freeze.")] = False,
    author: Author = None,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Keep what is being served, until --until."""
    with _opened(config, workload) as opened:
        doing = change_control.unfreeze if clear else change_control.freeze
        finish = _must_end(opened, end, clear=clear)
        _apply(opened, doing, (reason, finish, author), as_json=as_json)


def override(
    workload: Name,
    reason: Reason,
    pods: Annotated[int | None, typer.Option(help="Pods to ask for.")] = None,
    load: Annotated[float | None, typer.Option(help="Or load units.")] = None,
    end: Until = None,
    clear: Annotated[bool, typer.Option("--clear", help="End an override.")] = False,
    author: Author = None,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Serve a value of your own, up or down, until --until."""
    with _opened(config, workload) as opened:
        finish = _must_end(opened, end, clear=clear)

        def doing(served: Served, change: Change, ports: ControlPorts) -> Control:
            if clear:
                return change_control.clear_override(served, change, ports)
            return change_control.override(served, load, pods, change, ports)

        _apply(opened, doing, (reason, finish, author), as_json=as_json)


def guard(
    workload: Name,
    reason: Reason,
    author: Author = None,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Clear a guard that has tripped; one that still sees something trips again."""
    with _opened(config, workload) as opened:
        _apply(opened, change_control.clear_guard, (reason, None, author), as_json=as_json)


def _must_end(opened: _Opened, end: str | None, *, clear: bool) -> datetime | None:
    """A value that a person sets must end by itself: nobody remembers it the next morning."""
    if clear:
        return None
    if end is None:
        raise BadParameter('say when it ends: --until 2h, or --until "2026-11-24 23:30"')
    return opened.end(end)


def _apply(
    opened: _Opened,
    doing: Callable[[Served, Change, ControlPorts], Control],
    said: tuple[str, datetime | None, str | None],
    *,
    as_json: bool,
) -> None:
    reason, end, author = said
    ports = ControlPorts(clock(), opened.stores.workloads, opened.stores.controls)
    control = doing(opened.served, Change(author or who(), reason, end, None), ports)
    if as_json:
        print_json(control_json(control))
        return
    text = control_line(control_json(control)) or "as in the file"
    OUT.print(f"{opened.served.workload.name}: {text}", markup=False, highlight=False)


def who() -> str:
    """Who is logged in, for the audit."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):
        return "command line"
