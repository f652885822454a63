"""Field types that every model of the file shares."""

import difflib
from datetime import time, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from prescaler.core.durations import format_duration, parse_duration
from prescaler.core.errors import BadParameter

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LAST_PORT: Final = 65535


class UnsoundField(AttributeError):
    """A field is read that was refused; config/partial.py says where such sections come from."""


class Section(BaseModel):
    """A mapping of the file: unknown keys are errors, values are not bent into shape."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True
    )

    if not TYPE_CHECKING:  # a checker would take any name for a field

        def __getattr__(self, name: str) -> Any:
            if name in type(self).model_fields:
                raise UnsoundField(name)
            return super().__getattr__(name)


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} has no unit; write a duration such as 90s, 5m, 28d")  # noqa: TRY004 - pydantic collects ValueError
    try:
        return parse_duration(value)
    except BadParameter as error:
        raise ValueError(str(error)) from error


def _clock_time(value: Any) -> time:
    if isinstance(value, time):
        return value
    try:
        hour, minute = str(value).split(":")
        return time(int(hour), int(minute))
    except ValueError:
        raise ValueError(f'{value!r} is no time of day; write it as "19:30"') from None


def _zone(value: Any) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(str(value), available_timezones(), 1)
        hint = f"; did you mean {near[0]}?" if near else ", as in Europe/Paris or UTC"
        raise ValueError(f"{str(value)[:60]!r} is no time zone{hint}") from None


def _weekday(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(WEEKDAYS):
        return value
    if value not in WEEKDAYS:
        raise ValueError(f"{value!r} is no day; write one of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(value)


def _address(value: str) -> str:
    if int(value.rpartition(":")[2]) > _LAST_PORT:
        raise ValueError(f"{value!r}: ports end at {_LAST_PORT}")
    return value


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Duration: TypeAlias = Annotated[
    timedelta, BeforeValidator(_duration), PlainSerializer(format_duration)
]
ClockTime: TypeAlias = Annotated[
    time, BeforeValidator(_clock_time), PlainSerializer(lambda t: t.strftime("%H:%M"))
]
Address: TypeAlias = Annotated[
    str,
    Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[^:\s]+):[0-9]{1,5}$"),
    AfterValidator(_address),
]
Zone: TypeAlias = Annotated[ZoneInfo, BeforeValidator(_zone), PlainSerializer(str)]
Weekday: TypeAlias = Annotated[
    int, BeforeValidator(_weekday), PlainSerializer(lambda n: WEEKDAYS[n])
]
AsTuple: Final = BeforeValidator(_tuple)
Name: TypeAlias = Annotated[
    str, Field(pattern=r"^[a-z0-9]([a-z0-9._-]{0,98}[a-z0-9])?$", description="a workload's name")
]
SourceName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$")]
Share: TypeAlias = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=0, le=100_000)]
