"""`events`: the calendar of planned events, read and written on the store."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import typer

from prescaler.apps.cli.control import who
from prescaler.apps.cli.event_options import (
    Added,
    EventOptions,
    Factor,
    For,
    Kind,
    Labels,
    MinPods,
    MinPodsFactor,
    Names,
    RampAfter,
    RampBefore,
    State,
    Zone,
    end_given,
    event_fields,
    pairs,
)
from prescaler.apps.cli.events_view import event_line, show_import, show_list, show_previews
from prescaler.apps.cli.options import ERR, OUT, Config, Debug, Json, config_path, print_json
from prescaler.apps.cli.spread import spread
from prescaler.config import Settings, load_settings
from prescaler.config.feeds import FeedFormat, import_rules
from prescaler.core.durations import format_duration, parse_duration
from prescaler.core.errors import BadParameter, UnknownEvent
from prescaler.core.event_records import EventQuery
from prescaler.core.event_text import to_plain
from prescaler.core.explain import local_instant
from prescaler.core.instants import format_instant
from prescaler.core.planned import EventState, PlannedEvent
from prescaler.usecases.change_events import (
    EventPorts,
    Move,
    Planner,
    cancel_event,
    cancel_source,
    change_event,
    clean_events,
    move_occurrence,
    moved,
    plan_event,
    read_event,
)
from prescaler.usecases.import_events import import_events
from prescaler.usecases.preview_event import Preview, next_occurrence, preview
from prescaler.wiring import (
    Stores,
    check_schema,
    clock,
    load_table,
    open_stores,
    read_events,
    read_file,
)

_MOST: Final = 10_000
_PREVIEWED: Final = 20
_SHORTEST_PREFIX: Final = 4
_LARGEST: Final = 50 * 2**20
_SUFFIXES: Final = {
    ".ics": FeedFormat.ICAL,
    ".csv": FeedFormat.CSV,
    ".yaml": FeedFormat.YAML,
    ".yml": FeedFormat.YAML,
    ".json": FeedFormat.YAML,
}

Identity = Annotated[str, typer.Argument(help="Its id, or the first characters of it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; stands in the audit.")]
Author = Annotated[str | None, typer.Option("--author", help="Who; default: who is logged in.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Store nothing; say what it would do to the plans.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Planned events.", no_args_is_help=True)
    group.command("list")(list_events)
    group.command("add")(add)
    group.command("edit")(edit)
    group.command("move")(move)
    group.command("cancel")(cancel)
    group.command("import")(take_in)
    group.command("clean")(clean)
    app.add_typer(group, name="events")


@dataclass(frozen=True)
class _Opened:
    """The calendar, and what its changes need."""

    settings: Settings
    stores: Stores
    now: datetime

    @property
    def ports(self) -> EventPorts:
        workloads = self.settings.workloads
        names = {name for one in workloads for name in (one.name, *one.aliases)}
        return EventPorts(clock(), self.stores.events, names)

    def find(self, text: str) -> PlannedEvent:
        """An event by its id or the beginning of it."""
        try:
            return self.stores.events.get(UUID(text))
        except ValueError:
            pass
        if len(text) < _SHORTEST_PREFIX:
            raise BadParameter(f"{text!r}: write at least {_SHORTEST_PREFIX} characters of the id")
        every = self.stores.events.find(EventQuery(limit=_MOST))
        found = [event for event in every if str(event.id).startswith(text.lower())]
        if len(found) != 1:
            count = "no event has" if not found else f"{len(found)} events have"
            raise UnknownEvent(f"{count} an id that begins with {text[:40]!r}")
        return found[0]

    def previews(
        self, event: PlannedEvent, beside: Sequence[PlannedEvent] = ()
    ) -> Sequence[Preview]:
        """What an event, and those changed with it, do to the plans that it is about."""
        following = next_occurrence(event, self.now)
        chosen = event.selection
        meant = [
            one
            for one in self.settings.workloads
            if chosen.takes(one.name, one.labels, one.aliases)
        ][:_PREVIEWED]
        if following is None or not meant:
            return []
        table = load_table(meant, self.stores, self.now)
        return preview(event, following, table, self.now, beside)

    def zone(self, names: Sequence[str]) -> str:
        """The civil time of the first workload that is named, else of the first one."""
        workloads = self.settings.workloads
        named = [one for one in workloads if one.name in names] or workloads
        return named[0].forecast.timezone.key if named else "UTC"


@contextmanager
def _opened(config: Config) -> Iterator[_Opened]:
    settings = load_settings(config_path(config), with_keys=False)
    stores = open_stores(settings.store.main)
    try:
        check_schema(stores)
        yield _Opened(settings, stores, clock().now().replace(microsecond=0))
    finally:
        stores.database.close()


def list_events(
    since: Annotated[
        str | None, typer.Option("--from", help="Touching this instant or later; default: now.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="And before this one.")] = None,
    kind: Kind = None,
    state: State = None,
    workload: Annotated[str | None, typer.Option(help="About this workload.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=_MOST)] = 100,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show planned events, by start; cancelled ones with --state cancelled."""
    with _opened(config) as opened:
        zone = ZoneInfo(opened.zone([workload or ""]))
        start = local_instant(since, zone) if since else opened.now
        end = local_instant(to, zone) if to else None
        query = EventQuery(start, end, kind, state, limit=_MOST)
        found = [e for e in opened.stores.events.find(query) if _wanted(opened, e, state, workload)]
    if as_json:
        print_json({"items": [to_plain(event) for event in found[:limit]], "total": len(found)})
        return
    show_list(found[:limit], start)
    if len(found) > limit:
        OUT.print(f"{limit} of {len(found)} events; --limit shows more")


def _wanted(
    opened: _Opened, event: PlannedEvent, state: EventState | None, name: str | None
) -> bool:
    if state is None and event.state is EventState.CANCELLED:
        return False
    if name is None:
        return True
    one = opened.settings.workload(name)
    if one is None:
        raise BadParameter(f"no workload {name!r} is configured")
    return event.selection.takes(one.name, one.labels, one.aliases)


@spread
def add(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    options: EventOptions,
    reason: Reason = "",
    author: Author = None,
    dry_run: DryRun = False,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Plan an event."""
    with _opened(config) as opened:
        given = event_fields(options, opened.zone(options.workload or []), None)
        fields = {**given, "name": name}
        if dry_run:
            _tell(opened, read_event(fields, opened.ports), as_json=as_json, stored=False)
            return
        event = plan_event(fields, Planner(author or who(), reason.strip()), opened.ports)
        _tell(opened, event, as_json=as_json, stored=True)


@spread
def edit(
    event: Identity,
    options: EventOptions,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    reason: Reason = "",
    author: Author = None,
    dry_run: DryRun = False,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Change what is named, and keep the rest; a new start alone moves the end with it."""
    with _opened(config) as opened:
        before = opened.find(event)
        changed = event_fields(options, before.timezone.key, before)
        fields = {**to_plain(before), **changed, "name": before.name if name is None else name}
        if dry_run:
            found = read_event(fields, opened.ports, identity=before.id)
            _tell(opened, found, as_json=as_json, stored=False)
            return
        planner = Planner(author or who(), reason.strip(), before.revision)
        done = change_event(before.id, fields, planner, opened.ports)
        _tell(opened, done, as_json=as_json, stored=True)


def move(
    event: Identity,
    occurrence: Annotated[
        str, typer.Option(help='Its present start: "2026-11-24 21:00" in the zone of the event.')
    ],
    start: Annotated[str, typer.Option(help="When it takes place instead, likewise.")],
    end: Annotated[str | None, typer.Option(help="Or --for; default: it keeps its length.")] = None,
    lasting: For = None,
    reason: Reason = "",
    author: Author = None,
    dry_run: DryRun = False,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Move one time of a repeating event; the others stay as they are."""
    with _opened(config) as opened:
        before = opened.find(event)
        zone = before.timezone
        begins = local_instant(start, zone)
        ends = end_given(begins, end, lasting, zone)
        wanted = Move(local_instant(occurrence, zone), begins, ends)
        if dry_run:
            made = moved(before, wanted, uuid4())
            _tell(opened, made.single, [made.series], as_json=as_json, stored=False)
            return
        planner = Planner(author or who(), reason.strip(), before.revision)
        done = move_occurrence(before.id, wanted, planner, opened.ports)
        _tell(opened, done.single, as_json=as_json, stored=True)


def cancel(
    event: Annotated[
        str | None, typer.Argument(help="Its id, or the first characters of it.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Or all of a source that are not over, as feed:cup or import:cup."),
    ] = None,
    reason: Reason = "",
    author: Author = None,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Cancel events: they act no more, and can still be looked at."""
    if (event is None) == (source is None):
        raise BadParameter("give an id, or --source")
    with _opened(config) as opened:
        planner = Planner(author or who(), reason.strip())
        if source is not None:
            found = cancel_source(source, planner, opened.ports)
        else:
            before = opened.find(event or "")
            planner = replace(planner, revision=before.revision)
            found = [cancel_event(before.id, planner, opened.ports)]
    if as_json:
        print_json({"items": [to_plain(one) for one in found]})
        return
    for one in found:
        OUT.print(f"cancelled: {event_line(one)}", markup=False, highlight=False)
    if not found:
        OUT.print("nothing was left to cancel")


def take_in(
    file: Annotated[Path, typer.Argument(help="A file .ics, .csv, .yaml or .json.")],
    name: Annotated[
        str | None,
        typer.Option(
            help="Under which its entries are known again: a second import under the same name "
            "changes what differs; default: the file's name."
        ),
    ] = None,
    form: Annotated[
        FeedFormat | None, typer.Option("--format", help="Default: by the file's ending.")
    ] = None,
    kind: Kind = None,
    workload: Names = None,
    label: Labels = None,
    timezone: Zone = None,
    factor: Factor = None,
    added: Added = None,
    min_pods: MinPods = None,
    min_pods_factor: MinPodsFactor = None,
    ramp_before: RampBefore = None,
    ramp_after: RampAfter = None,
    length: Annotated[str | None, typer.Option(help="Of entries without an end.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="A word that a name or category must contain.")
    ] = None,
    obey: Annotated[bool, typer.Option("--obey", help="X-PRESCALER-* lines count.")] = False,
    reason: Reason = "",
    author: Author = None,
    dry_run: DryRun = False,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Take in a file of events: all of them or none; options hold for entries that do not say."""
    with _opened(config) as opened:
        names = workload or []
        given = {
            "name": name or _slug(file.stem),
            "format": (form or _format_of(file)).value,
            "kind": kind,
            "timezone": timezone or opened.zone(names),
            "workloads": names,
            "labels": pairs(label, "--label"),
            "factor": factor,
            "added": added,
            "min_pods": min_pods,
            "min_pods_factor": min_pods_factor,
            "ramp_before": ramp_before,
            "ramp_after": ramp_after,
            "length": length,
            "only": only or [],
            "obey": obey,
        }
        chosen, rules = import_rules({k: v for k, v in given.items() if v is not None})
        found = read_events(read_file(rules.name, file, _LARGEST), chosen, rules, opened.now)
        planner = Planner(author or who(), reason.strip())
        record = import_events(rules.feed, found, planner, opened.ports, dry_run=dry_run)
    show_import(record, dry_run=dry_run, as_json=as_json)


def clean(
    retention: Annotated[
        str | None,
        typer.Option(help="Forget what has been over this long; default: `retention.events`."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Even what forecasts still look back at.")
    ] = False,
    reason: Reason = "",
    author: Author = None,
    config: Config = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Forget events that have been over for long."""
    with _opened(config) as opened:
        workloads = opened.settings.workloads
        age = _days(retention) if retention else opened.settings.retention.events
        needed = max((one.forecast.history for one in workloads), default=timedelta(0))
        if age < needed and not force:
            raise BadParameter(
                f"--retention {format_duration(age)}: forecasts look back "
                f"{format_duration(needed)}, and would take forgotten evenings for ordinary ones; "
                "--force forgets them all the same"
            )
        planner = Planner(author or who(), reason.strip())
        count = clean_events(opened.now - age, planner, opened.ports)
    if as_json:
        print_json({"forgotten": count})
        return
    OUT.print(f"{count} events forgotten", highlight=False)


def _tell(
    opened: _Opened,
    event: PlannedEvent,
    beside: Sequence[PlannedEvent] = (),
    *,
    as_json: bool,
    stored: bool,
) -> None:
    found = opened.previews(event, beside)
    if as_json:
        plans = [
            {
                "workload": one.served.workload.name,
                "pods": one.pods,
                "without": one.without,
                "at": format_instant(one.at),
                "extra_pod_hours": round(one.extra_pod_hours, 2),
            }
            for one in found
        ]
        print_json({"event": to_plain(event), "stored": stored, "plans": plans})
        return
    what = "planned" if stored else "nothing stored; it would be"
    OUT.print(f"{what}: {event_line(event)}", markup=False, highlight=False)
    if event.state is not EventState.CONFIRMED:
        ERR.print(f"it is {event.state.value}: only confirmed events act", highlight=False)
    show_previews(found, event)


def _format_of(file: Path) -> FeedFormat:
    found = _SUFFIXES.get(file.suffix.lower())
    if found is None:
        raise BadParameter(f"{file.name}: is it ical, csv or yaml? Say --format")
    return found


def _slug(stem: str) -> str:
    """A file's name as a name of ours."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in stem.lower())
    return "-".join(part for part in kept.split("-") if part)[:40].strip("-") or "file"


def _days(text: str) -> timedelta:
    """`90d`; a bare number counts days."""
    return parse_duration(f"{text}d" if text.isascii() and text.isdigit() else text)
