"""The calendars that planned events come from, as they stand in the file."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError

from prescaler.config.fields import AsTuple, Count, Duration, NotNegative, Section, SourceName, Zone
from prescaler.config.partial import Complaint, answered
from prescaler.config.secrets import MissingSecret, secret
from prescaler.core.durations import format_duration, parse_duration
from prescaler.core.errors import BadParameter
from prescaler.core.event_records import FeedRules
from prescaler.core.planned import Stack

_SHORTEST_EVERY: Final = timedelta(minutes=1)
_LARGEST: Final = 50 * 2**20
_LONGEST_IMPORT: Final = 40


class FeedFormat(StrEnum):
    """What a calendar is written in."""

    ICAL = "ical"
    CSV = "csv"
    YAML = "yaml"


def _names(value: Any) -> Any:
    return ("all",) if value == "all" else tuple(value) if isinstance(value, list) else value


class CalendarSection(Section):
    """How the entries of a calendar are read, and what holds where they do not say."""

    name: SourceName = Field(description="unique; stands in the events' `source`")
    format: Annotated[FeedFormat, Field(strict=False)] = Field(
        FeedFormat.ICAL, description="ical, csv or yaml"
    )
    timezone: Zone = Field(
        "UTC", validate_default=True, description="of days and times that name no zone"
    )
    kind: str = Field(
        "event",
        pattern=r"^[a-z0-9._-]{1,50}$",
        description="of its events, such as football; events of a kind are learnt from together",
    )
    workloads: Annotated[tuple[str, ...], BeforeValidator(_names)] = Field(
        (), description='names of workloads, or "all"'
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="or: the workloads that carry all these labels"
    )
    factor: Annotated[float, Field(ge=0, le=1000)] | None = Field(
        None, description="times ordinary demand"
    )
    added: NotNegative = Field(0.0, description="load units on top")
    min_pods: Count = Field(0, description="pods to have while it lasts")
    min_pods_factor: Annotated[float, Field(ge=0, le=1000)] | None = Field(
        None, description="times the workload's window minimum; replaces its windows meanwhile"
    )
    ramp_before: Duration = Field(timedelta(0), description="in which the effect rises")
    ramp_after: Duration = Field(timedelta(0), description="in which it fades")
    stack: Annotated[Stack, Field(strict=False)] = Field(
        Stack.MAX, description="max: of overlapping events the higher wins; multiply: both act"
    )
    length: Duration | None = Field(None, description="of entries without an end")
    only: Annotated[tuple[str, ...], AsTuple] = Field(
        (), description="words of which a name or a category must contain one; none = everything"
    )
    obey: bool = Field(
        default=False,
        description="whether its X-PRESCALER-* lines count: whoever writes it then sets effects",
    )

    def rules(self, source: str = "feed") -> FeedRules:
        """The same as the readers take it."""
        return FeedRules(
            name=self.name,
            zone=self.timezone,
            defaults=self.defaults(),
            length=self.length,
            only=self.only,
            obey=self.obey,
            source=source,
        )

    def defaults(self) -> dict[str, Any]:
        """What holds for every entry that does not say otherwise, as plain fields."""
        everything = self.workloads == ("all",)
        names = {"names": list(self.workloads), "labels": self.labels}
        return {
            "kind": self.kind,
            "workloads": "all" if everything else names,
            "factor": self.factor,
            "added": self.added,
            "min_pods": self.min_pods,
            "min_pods_factor": self.min_pods_factor,
            "ramp_before": format_duration(self.ramp_before),
            "ramp_after": format_duration(self.ramp_after),
            "stack": self.stack.value,
        }


class FeedSection(CalendarSection):
    """One calendar of events, fetched on schedule by the leader."""

    url: str | None = Field(
        None,
        max_length=2000,
        description="its address; one that contains a secret belongs into url_env or url_file",
    )
    url_env: str | None = Field(None, description="environment variable with its address")
    url_file: str | None = Field(None, description="file with its address")
    file: str | None = Field(None, description="its path on every replica; or `url`")
    every: Duration = Field(parse_duration("15m"), description="fetched this often, at least 1m")
    allow_empty: bool = Field(
        default=False, description="believe a calendar that suddenly has no event at all"
    )
    allow_http: bool = Field(
        default=False, description="plain http: anybody on the way may change it"
    )
    allow_private: bool = Field(
        default=False, description="addresses that are not public: our own network"
    )
    ca_file: str | None = Field(None, description="PEM file of the authorities to trust")
    max_bytes: Annotated[int, Field(ge=1, le=_LARGEST)] = Field(
        5 * 2**20, description="largest calendar that is taken"
    )
    timeout: Duration = Field(parse_duration("30s"), description="to its last byte")

    @property
    def address(self) -> str | None:
        """Where it is fetched from; None: it is a file.

        Raises:
            MissingSecret: the variable or the file is not there, or empty.
        """
        if self.url is not None or self.file is not None:
            return self.url
        return secret(self.url_env, self.url_file)


def import_rules(fields: Mapping[str, Any]) -> tuple[FeedFormat, FeedRules]:
    """How a file that somebody hands in is read; fields as in a calendar's section.

    Raises:
        BadParameter: naming every field that is wrong.
    """
    try:
        section = CalendarSection.model_validate(dict(fields))
    except ValidationError as error:
        texts = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise BadParameter("; ".join(texts)) from error
    if len(section.name) > _LONGEST_IMPORT:
        raise BadParameter(f"name: at most {_LONGEST_IMPORT} characters")
    if "all" in section.workloads and len(section.workloads) > 1:
        raise BadParameter('workloads: "all" stands alone')
    return section.format, section.rules("import")


class EventsSection(Section):
    """Where planned events come from, beside the API and the command line."""

    feeds: Annotated[tuple[FeedSection, ...], AsTuple] = Field((), description="calendars")


def feed_problems(feeds: Sequence[FeedSection], workloads: Collection[str]) -> Iterator[Complaint]:
    """What no single field can know."""
    names: set[str] = set()
    for number, feed in enumerate(feeds):
        for rule in (_every, _timeout, _selection, _place_problems):
            yield from _inside(number, answered(rule, feed))
        yield from _inside(number, answered(_name_taken, feed, names))
        yield from _inside(number, answered(_unknown_workloads, feed, workloads))


def _inside(number: int, complaints: Iterator[Complaint]) -> Iterator[Complaint]:
    for path, text in complaints:
        yield ("events", "feeds", number, *path), text


def _name_taken(feed: FeedSection, names: set[str]) -> Iterator[Complaint]:
    if feed.name in names:
        yield ("name",), f"the name {feed.name!r} is taken by another feed"
    names.add(feed.name)


def _every(feed: FeedSection) -> Iterator[Complaint]:
    if feed.every < _SHORTEST_EVERY:
        yield ("every",), "must be at least 1m"


def _timeout(feed: FeedSection) -> Iterator[Complaint]:
    if not timedelta(seconds=1) <= feed.timeout <= timedelta(minutes=5):
        yield ("timeout",), "must lie between 1s and 5m"


def _selection(feed: FeedSection) -> Iterator[Complaint]:
    if not feed.workloads and not feed.labels:
        yield ("workloads",), 'selects nothing; write "all", names, or labels'
    if "all" in feed.workloads and len(feed.workloads) > 1:
        yield ("workloads",), '"all" stands alone'


def _unknown_workloads(feed: FeedSection, workloads: Collection[str]) -> Iterator[Complaint]:
    for number, name in enumerate(feed.workloads):
        if name != "all" and name not in workloads:
            yield ("workloads", number), f"no workload {name!r} is configured"


def _place_problems(feed: FeedSection) -> Iterator[Complaint]:
    given = (feed.url, feed.url_env, feed.url_file, feed.file)
    if sum(one is not None for one in given) != 1:
        yield (), "give exactly one of url, url_env, url_file and file"
    elif feed.file is None:
        try:
            yield from _url_problems(feed, feed.address or "")
        except MissingSecret as error:
            yield (), str(error)


def _url_problems(feed: FeedSection, url: str) -> Iterator[Complaint]:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        yield ("url",), "is no address"
        return
    if parts.scheme not in ("http", "https") or not host:
        yield ("url",), "must begin with https://"
    elif parts.scheme == "http" and not feed.allow_http:
        yield ("url",), "is plain http; use https, or set allow_http: true"
    if "@" in parts.netloc:
        yield ("url",), "contains a user or a password"
