"""`check`: is the configuration right, and do the sources give what it says?"""

from typing import Annotated, Any

import typer
from rich.text import Text

from prescaler.apps.cli.control_view import control_line
from prescaler.apps.cli.options import OUT, Config, Debug, Json, config_path, print_json, table_of
from prescaler.config import Settings, load_settings
from prescaler.core.errors import (
    FeedTooSlow,
    FeedUnreachable,
    SourceOverloaded,
    SourceUnreachable,
    StoreError,
)
from prescaler.core.instants import format_instant
from prescaler.usecases.check_sources import SourceCheck, check_sources
from prescaler.usecases.sync_events import FeedCheck, check_feed
from prescaler.wiring import check_schema, clock, open_feed, open_source, open_stores

_UNREACHABLE = (
    SourceUnreachable.kind,
    SourceOverloaded.kind,
    FeedUnreachable.kind,
    FeedTooSlow.kind,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(
    config: Config = None,
    probe: Annotated[bool, typer.Option("--probe", help="Ask every source, too.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Say every problem of the file at once; list what people have set apart from it."""
    path = config_path(config)
    settings = load_settings(path)
    differences, store_error = _differences(settings)
    probes = _probe(settings) if probe else []
    feeds = _probe_feeds(settings) if probe else []
    if as_json:
        print_json(
            {
                "workloads": len(settings.workloads),
                "differs_from_file": differences,
                "store_error": store_error,
                "probes": [vars(found) for found in probes],
                "feeds": [vars(found) for found in feeds],
            }
        )
    else:
        count = len(settings.workloads)
        OUT.print(
            f"{path}: {count} workload{'' if count == 1 else 's'}, no problem", highlight=False
        )
        _show(differences, store_error, probes)
        _show_feeds(feeds)
    kinds = {found.kind for found in probes} | {found.kind for found in feeds}
    if kinds & set(_UNREACHABLE):
        return 4
    return 0 if kinds <= {None} else 1


def _differences(settings: Settings) -> tuple[list[dict[str, Any]], str | None]:
    """What is set at run time and differs from the file; None as error where all is known."""
    from prescaler.apps.api.shapes import control_json

    stores = open_stores(settings.store.main)
    try:
        check_schema(stores)
        controls = stores.controls.all()
        versions = stores.workloads.current()
    except StoreError as error:
        return [], str(error)
    finally:
        stores.database.close()
    now, found = clock().now(), []
    for version in versions:
        control = controls[version.workload].at(now) if version.workload in controls else None
        if control and (control.mode or control.freeze or control.override or control.guard):
            found.append({"workload": version.name, **control_json(control)})
    return found, None


def _probe(settings: Settings) -> list[SourceCheck]:
    sources = {name: open_source(name, s) for name, s in settings.prometheus.items()}
    now = clock().now()
    return [found for w in settings.workloads for found in check_sources(w, sources, now)]


def _probe_feeds(settings: Settings) -> list[FeedCheck]:
    now = clock().now().replace(microsecond=0)
    names = {name for one in settings.workloads for name in (one.name, *one.aliases)}
    return [check_feed(open_feed(section), names, now) for section in settings.feeds]


def _show_feeds(feeds: list[FeedCheck]) -> None:
    if not feeds:
        return
    table = table_of("calendar", "events", "entries that cannot be used", "problem")
    for found in feeds:
        unusable = "\n".join(found.complaints[:5]) or "none"
        table.add_row(found.feed, str(found.events), Text(unusable), Text(found.problem or "none"))
    OUT.print(table)


def _show(
    differences: list[dict[str, Any]], store_error: str | None, probes: list[SourceCheck]
) -> None:
    if store_error is not None:
        OUT.print(f"what is set at run time is not known: {store_error}", markup=False)
    for entry in differences:
        text = f"{entry['workload']} differs from the file: {control_line(entry)}"
        OUT.print(text, markup=False, highlight=False)
    if not probes:
        return
    table = table_of("workload", "source", "series", "history since", "hours seen", "problem")
    for found in probes:
        first = format_instant(found.first) if found.first else "-"
        hours = f"{found.hours} of {found.wanted}"
        table.add_row(
            found.workload, found.source, str(found.series), first, hours, found.problem or "none"
        )
    OUT.print(table)
