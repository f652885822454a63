"""Events as somebody sends them."""

from datetime import timedelta
from typing import Any

from prescaler.core.instants import format_instant
from tests.apps.conftest import (
    NOW,
    WRITE,
    Served,
)

EVENTS = "/api/v1/events"
HOUR = timedelta(hours=1)
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//cup//EN
BEGIN:VEVENT
UID:a@cup
SUMMARY:Semi-final
DTSTART;TZID=Europe/Paris:20261124T210000
DTEND;TZID=Europe/Paris:20261124T230000
END:VEVENT
END:VCALENDAR
"""


def plain(hours: float = 5, **fields: Any) -> dict[str, Any]:
    """Two hours, so many hours from now, twice the demand of `web`."""
    start = NOW + hours * HOUR
    return {
        "name": "Semi-final",
        "kind": "football",
        "start": format_instant(start),
        "end": format_instant(start + 2 * HOUR),
        "timezone": "Europe/Paris",
        "workloads": ["web"],
        "factor": 2.0,
        **fields,
    }


def post(served: Served, body: Any, head: dict[str, str] = WRITE, path: str = EVENTS) -> Any:
    return served.client.post(path, json=body, headers=head)


def created(served: Served, hours: float = 5, **fields: Any) -> dict[str, Any]:
    answer = post(served, plain(hours, **fields))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found
