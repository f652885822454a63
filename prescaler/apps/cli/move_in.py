"""`import prescaling-exporter`: its annotations and events as ours, with a parity report."""

from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer
import yaml
from rich.markdown import Markdown

from prescaler.adapters.files.kubernetes import read_objects
from prescaler.apps.cli.control import who
from prescaler.apps.cli.options import ERR, OUT, Config, Debug, Json, config_path, print_json
from prescaler.config import load_settings
from prescaler.core.errors import BadParameter, UnknownEvent
from prescaler.core.event_records import EventWrite
from prescaler.core.event_text import FIELDS, to_plain
from prescaler.core.moving_in import SOURCE, Filling, Moved, move_in, report
from prescaler.core.planned import PlannedEvent
from prescaler.usecases.change_events import Planner, audit_entry
from prescaler.wiring import Stores, check_schema, clock, open_stores

_HEAD: Final = "# Written by `prescaler import prescaling-exporter`; see its report.\n"


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(help="Take over what another system knows.", no_args_is_help=True)
    group.command("prescaling-exporter")(prescaling_exporter)
    group.callback()(_group)
    app.add_typer(group, name="import")


def _group() -> None:
    """Take over what another system knows."""


def prescaling_exporter(
    annotations: Annotated[
        Path, typer.Option(help="`kubectl get hpa -A -o yaml` (or json) of the annotated HPAs.")
    ],
    events: Annotated[
        Path | None,
        typer.Option(help="`kubectl get prescalingevents -o yaml`, or the API's list."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the workloads go (YAML).")] = None,
    events_out: Annotated[Path | None, typer.Option(help="Where the events go (YAML).")] = None,
    to_store: Annotated[
        bool, typer.Option("--to-store", help="Put the events into the store, too.")
    ] = False,
    report_out: Annotated[
        Path | None, typer.Option("--report", help="Where the report goes (Markdown).")
    ] = None,
    timezone: Annotated[str, typer.Option(help="In which their times are.")] = "Europe/Paris",
    source: Annotated[str | None, typer.Option(help="Name under `prometheus`.")] = None,
    query: Annotated[
        str | None, typer.Option(help="Demand PromQL with {name} and {namespace}.")
    ] = None,
    per_pod: Annotated[float | None, typer.Option(help="Load units a pod carries.")] = None,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Write windows, events and workloads, and say what differs; exit 1 where some were refused."""
    filling = Filling(_zone(timezone), source, query, per_pod)
    moved = move_in(read_objects(annotations), read_objects(events) if events else [], filling)
    text = report(moved, filling)
    if out is not None:
        _write(out, {"workloads": moved.workloads})
    if events_out is not None:
        _write(events_out, {"events": [_plain(event) for event in moved.events]})
    if report_out is not None:
        _save(report_out, text)
    stored = _store(config, moved.events) if to_store else None
    _tell(moved, text, stored, as_json=as_json)
    return 1 if moved.refused else 0


def _tell(moved: Moved, text: str, stored: int | None, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "workloads": moved.workloads,
                "events": [_plain(event) for event in moved.events],
                "differences": [
                    dict(zip(("who", "what", "why"), row, strict=True)) for row in moved.differences
                ],
                "refused": [dict(zip(("who", "why"), row, strict=True)) for row in moved.refused],
                "stored": stored,
            }
        )
        return
    OUT.print(Markdown(text))
    if stored is not None:
        ERR.print(f"{stored} events stored; {len(moved.events) - stored} were there already")


def _plain(event: PlannedEvent) -> dict[str, object]:
    plain = to_plain(event)
    return {name: plain[name] for name in FIELDS if plain[name] not in (None, {}, [], "", 0, 0.0)}


def _store(config: Config, events: list[PlannedEvent]) -> int:
    """Store what is not there yet, all or nothing: a second import changes nothing."""
    stores = open_stores(load_settings(config_path(config), with_keys=False).store.main)
    try:
        check_schema(stores)
        now = clock().now().replace(microsecond=0)
        new = [event for event in events if not _known(stores, event)]
        planner = Planner(who(), f"moving in from {SOURCE}")
        stores.events.write(
            [EventWrite(e, audit_entry("create event", None, e, now, planner)) for e in new]
        )
    finally:
        stores.database.close()
    return len(new)


def _known(stores: Stores, event: PlannedEvent) -> bool:
    try:
        stores.events.get(event.id)
    except UnknownEvent:
        return False
    return True


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise BadParameter(f"{name!r:.60} is no time zone, as in Europe/Paris") from error


def _write(path: Path, document: object) -> None:
    _save(path, _HEAD + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100))


def _save(path: Path, text: str) -> None:
    """Whole or not at all: a full disk must not leave half a file under the name."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BadParameter(f"{path} cannot be written: {error.strerror}") from error
