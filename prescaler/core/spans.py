"""Stretches of time, [start, end), and sets of them: sorted, apart, none empty."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, order=True)
class Span:
    """Everything from start on, up to but not including end."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is; never negative for a span of a set."""
        return self.end - self.start


def united(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The set that covers what any of the spans covers; neighbours that touch become one."""
    found: list[Span] = []
    for span in sorted(span for span in spans if span.start < span.end):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return tuple(found)


def without(whole: Sequence[Span], taken: Sequence[Span]) -> tuple[Span, ...]:
    """What is left of a set when another is taken away."""
    left = united(whole)
    for hole in united(taken):
        left = tuple(
            part
            for span in left
            for part in (
                Span(span.start, min(span.end, hole.start)),
                Span(max(span.start, hole.end), span.end),
            )
            if part.start < part.end
        )
    return left
