"""Who may see and touch which planned events, and what their changes need."""

from uuid import UUID

from prescaler.apps.api.context import ApiContext
from prescaler.apps.api.keys import Caller
from prescaler.core.errors import NotAllowed, UnknownEvent
from prescaler.core.planned import PlannedEvent
from prescaler.usecases.change_events import Planner
from prescaler.usecases.review_events import selected
from prescaler.usecases.serve_metric import Served


def planner(caller: Caller, reason: str = "", revision: int | None = None) -> Planner:
    """A key as somebody who plans: one for some workloads plans for these only, by name."""

    def may(event: PlannedEvent) -> None:
        narrow = "*" not in caller.workloads
        wide = event.selection.everything or event.selection.labels
        if narrow and (wide or not all(map(caller.sees, event.selection.names))):
            raise NotAllowed(f"the key {caller.name!r} is not for all workloads of this event")

    return Planner(caller.name, reason.strip(), revision, may)


def meant(context: ApiContext, caller: Caller, event: PlannedEvent) -> list[Served]:
    """The workloads that an event is about, as far as the key may see them."""
    return [
        served
        for served in context.table
        if caller.sees(served.workload.name) and selected(event, served)
    ]


def sees(context: ApiContext, caller: Caller, event: PlannedEvent) -> bool:
    """Events about nobody's workloads are shown to those who see everything."""
    return "*" in caller.workloads or bool(meant(context, caller, event))


def visible_event(context: ApiContext, caller: Caller, identity: UUID) -> PlannedEvent:
    """An event that is about a workload which the caller may see.

    Raises:
        UnknownEvent: there is none, or not for this key.
    """
    event = context.stores.events.get(identity)
    if not sees(context, caller, event):
        raise UnknownEvent("no such event for this key")
    return event
