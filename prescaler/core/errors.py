"""Every failure that has a name, drawn as one tree.

    PrescalerError
    |- ConfigurationError          the file is wrong; nothing was started
    |- SourceError                 a demand source did not give what was asked of it
    |  |- SourceUnreachable        refused, reset, unknown host, timed out
    |  |- SourceOverloaded         429 or 5xx, still so after the retries
    |  |- SourceRefused            4xx: the query, the key or the path is wrong
    |  |- AnswerTooLarge           more points, samples or time than the server or we allow
    |  |- SourceSlow               connected, but no whole answer in time (SourceUnreachable)
    |  |- AnswerNotUnderstood      HTML, cut-off JSON, stamps off the grid, ...
    |  |- AnswerPartial            the server itself says that data is missing
    |  |- NoSeries                 the query found nothing in the whole range
    |  |- SeveralSeries            the query found more than one series
    |  |- NotASeries               a scalar, a string or a histogram
    |  |- ImpossibleDemand         negative, or beyond what a number can mean
    |  `- FeedError                a calendar of events did not give what was asked of it
    |     |- FeedForbidden         its address is one that we do not go to
    |     |- FeedUnreachable       refused, reset, unknown host, HTTP error
    |     |- FeedTooSlow           not at its end in time
    |     |- FeedTooLarge          more bytes or events than we take
    |     `- FeedNotUnderstood     no calendar of the format that was configured
    |- StoreError                  the database did not do what was asked of it
    |  |- StoreUnreachable         down, refused, cut off
    |  |- StoreBusy                locked by someone else for too long
    |  |- StoreFull                no space left
    |  |- StoreNotMigrated         older than this release needs
    |  |- StoreIncompatible        newer than this release can read
    |  `- StoreDamaged             what is stored cannot be read back
    |- ForecastError
    |  |- TooLittleHistory         not enough observations to say anything
    |  `- ForecasterFailed         one forecaster could not do it; the others go on
    |- FileRefused                 a file of history cannot be taken in; nothing of it was stored
    |- RequestError                a person or a program asked for something impossible
    |  |- UnknownWorkload
    |  |- UnknownEvent
    |  |- UnknownReplay
    |  |- BadParameter
    |  |  |- BadEvent              a planned event that cannot be; every complaint at once
    |  |  |  `- BadEvents          some of many; each with its place
    |  |  `- UnknownCountry
    |  |- ChangedMeanwhile         somebody else changed it since it was read
    |  `- NotAllowed
    `- ServerAssetMissing          a program or folder that must be there is not

Each message says what happened and what to do about it. `kind` is the short, stable word that
metrics, stored records and `--json` carry.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

_SHOWN: Final = 5


class PrescalerError(Exception):
    """Root of all named failures."""

    kind: ClassVar[str] = "error"


class ConfigurationError(PrescalerError):
    """The configuration cannot be used; the text lists every problem with its place."""

    kind = "configuration"


class SourceError(PrescalerError):
    """A demand source did not give what was asked of it."""

    kind = "source"


class SourceUnreachable(SourceError):
    """Connection refused or reset, unknown host, or no answer in time."""

    kind = "unreachable"


class SourceOverloaded(SourceError):
    """The server answers 429 or 5xx, and still did after the retries."""

    kind = "overloaded"


class SourceRefused(SourceError):
    """The server answers 4xx: trying again would not help."""

    kind = "refused"


class SourceSlow(SourceUnreachable):
    """The server took the question, and its answer was not complete in time."""


class AnswerTooLarge(SourceError):
    """The server refuses so many points, samples or so long a range; fewer may pass."""

    kind = "too_large"


class AnswerNotUnderstood(SourceError):
    """The body is no answer of the Prometheus API, or not the one to our question."""

    kind = "not_understood"


class AnswerPartial(SourceError):
    """The server says itself that part of the data is missing."""

    kind = "partial"


class NoSeries(SourceError):
    """The query found no series at all in the range that was asked for."""

    kind = "no_series"


class SeveralSeries(SourceError):
    """The query found more than one series; which one is the demand is not ours to guess."""

    kind = "several_series"


class NotASeries(SourceError):
    """The query gives a scalar, a string or a histogram."""

    kind = "not_a_series"


class ImpossibleDemand(SourceError):
    """The query gives negative values, or values beyond any meaning."""

    kind = "impossible_demand"


class FeedError(SourceError):
    """A calendar of events did not give what was asked of it; the events known before stay."""

    kind = "feed"


class FeedForbidden(FeedError):
    """Plain http, or an address inside our own network, that the configuration does not allow."""

    kind = "feed_forbidden"


class FeedUnreachable(FeedError):
    """Refused or reset, unknown host, no such file, or a status other than 200."""

    kind = "feed_unreachable"


class FeedTooSlow(FeedError):
    """The calendar had not ended when its time was over."""

    kind = "feed_too_slow"


class FeedTooLarge(FeedError):
    """More bytes or more events than we take."""

    kind = "feed_too_large"


class FeedNotUnderstood(FeedError):
    """No calendar of the configured format: HTML, cut off, or damaged."""

    kind = "feed_not_understood"


class StoreError(PrescalerError):
    """The database did not do what was asked of it."""

    kind = "store"


class StoreUnreachable(StoreError):
    """The database is down, refuses the connection, or cut it."""

    kind = "store_unreachable"


class StoreBusy(StoreError):
    """The database was locked by someone else for longer than we may wait."""

    kind = "store_busy"


class StoreFull(StoreError):
    """No space is left where the database lies."""

    kind = "store_full"


class StoreNotMigrated(StoreError):
    """The schema is older than this release needs."""

    kind = "store_not_migrated"


class StoreIncompatible(StoreError):
    """The schema is newer, and says that this release cannot read it."""

    kind = "store_incompatible"


class StoreDamaged(StoreError):
    """A stored value cannot be read back."""

    kind = "store_damaged"


class ForecastError(PrescalerError):
    """No forecast could be made."""

    kind = "forecast"


class TooLittleHistory(ForecastError):
    """There are not enough observations to say anything."""

    kind = "too_little_history"


class ForecasterFailed(ForecastError):
    """One forecaster of the pool could not do it on this history."""

    kind = "forecaster_failed"


class RequestError(PrescalerError):
    """Someone asked for something that cannot be given."""

    kind = "request"


class FileRefused(PrescalerError):
    """A file of history cannot be taken in; nothing of it was stored."""

    kind = "file_refused"


class UnknownWorkload(RequestError):
    """No workload of that name is configured."""

    kind = "unknown_workload"


class UnknownEvent(RequestError):
    """No planned event of that id is stored."""

    kind = "unknown_event"


class UnknownReplay(RequestError):
    """There is no replay of this id."""

    kind = "unknown_replay"


class BadParameter(RequestError):
    """A parameter has no meaning, or an impossible one."""

    kind = "bad_parameter"


class BadEvent(BadParameter):
    """A planned event that cannot be. The text names each field that is wrong, and why."""

    kind = "bad_event"


class BadEvents(BadEvent):
    """Several planned events of which some cannot be; nothing was stored.

    complaints: place in the list (None: the text names its place), and what is wrong there.
    """

    def __init__(self, complaints: Sequence[tuple[int | None, str]]) -> None:
        self.complaints = tuple(complaints)
        listed = "; ".join(
            text if number is None else f"event {number}: {text}"
            for number, text in self.complaints[:_SHOWN]
        )
        more = f"; and {len(complaints) - _SHOWN} more" if len(complaints) > _SHOWN else ""
        super().__init__(f"nothing was stored. {listed}{more}")


class UnknownCountry(BadParameter):
    """No tables of public holidays for a country code."""

    kind = "unknown_country"

    def __init__(self, country: str) -> None:
        super().__init__(
            f"no public holidays are known for country {country!r}; "
            "write an ISO 3166 code in capitals such as FR or DE-BY, or leave it out"
        )
        self.country = country

    def __reduce__(self) -> tuple[type["UnknownCountry"], tuple[str]]:
        """As it was said, when it comes from another process."""
        return UnknownCountry, (self.country,)


class ChangedMeanwhile(RequestError):
    """What was read has been changed by somebody else before it was written."""

    kind = "changed_meanwhile"


class NotAllowed(RequestError):
    """The key is good, but not for this workload or this action."""

    kind = "not_allowed"


class ServerAssetMissing(PrescalerError):
    """A program or a folder that must be there is not."""

    kind = "asset_missing"
