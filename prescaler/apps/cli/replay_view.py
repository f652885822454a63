"""A replay in a terminal."""

from typing import Any

from rich.table import Table

from prescaler.apps.cli.options import OUT, table_of
from prescaler.core.replay.choice import CHOICE_HEAD, choice_rows
from prescaler.core.replay.promise import Promise


def show(found: dict[str, Any]) -> None:
    """Period, arms, frontier and advice."""
    _head(found)
    OUT.print(
        _table(
            found["arms"],
            events=bool(found["period"]["events"]),
            sleeps=bool(found["assumptions"]["sleep"]),
        )
    )
    advice = found["advice"]
    if advice is not None:
        for sentence in advice["words"]:
            OUT.print(sentence, markup=False, highlight=False)
        if advice["best"] is not None:
            OUT.print(_choice(advice))
        _way(advice["way"])


def _choice(advice: dict[str, Any]) -> Table:
    """What keeps the promise, and by how much."""
    promise = Promise.parse(advice["promise"]["text"])
    table = table_of(f"promise {promise.text}", *CHOICE_HEAD[1:])
    for cells in choice_rows(advice, promise):
        table.add_row(*cells)
    return table


def _way(way: dict[str, Any] | None) -> None:
    """What to change, as lines of a diff."""
    if way is None:
        return
    for title, name in (
        ("prescaler.yaml", "configuration"),
        ("ScaledObject", "scaled_object_changes"),
    ):
        if way[name]:
            OUT.print(f"{title}:")
        for one in way[name]:
            for sign, side in (("-", "before"), ("+", "after")):
                if one[side] is not None:
                    line = f"  {sign} {one['path']}: {one[side]}"
                    OUT.print(line, markup=False, highlight=False)


def _head(found: dict[str, Any]) -> None:
    period, assumed = found["period"], found["assumptions"]
    guessed = " (guessed: 99.5 % level / 30)" if assumed["per_pod_guessed"] else ""
    start = assumed["pod_start"]
    OUT.print(
        f"{found['workload']}: {period['start']} to {period['end']}, {period['days']:.1f} days, "
        f"{period['events']} events; a pod carries {assumed['per_pod']:.6g}{guessed}, is ready "
        f"after {start['median_seconds']:g} s (median); seeds "
        f"{', '.join(map(str, assumed['seeds']))}",
        markup=False,
        highlight=False,
    )
    if sleep := assumed["sleep"]:
        OUT.print(
            f"it may sleep: KEDA polls every {sleep['polling_seconds']:g} s and takes it to 0 "
            f"pods {sleep['cooldown_seconds']:g} s after the last active poll"
        )
    if period["known_share"] < 1:
        OUT.print(f"{100 * (1 - period['known_share']):.1f} % of demand is missing and not counted")


def _table(rows: list[dict[str, Any]], *, events: bool, sleeps: bool) -> Table:
    table = table_of("arm", "pod-hours", "dropped %", "bad min/week", "used %", "kWh", "moves/day")
    if sleeps:
        table.add_column("asleep %")
    if events:
        for name in ("event dropped %", "ready at start %", "min late"):
            table.add_column(name)
    for row in rows:
        every = row["all"]
        cells = [
            row["setting"]["text"],
            f"{every['pod_hours']:,.0f}",
            f"{100 * every['dropped']:.4f}",
            f"{every['bad_minutes_a_week']:.1f}",
            f"{100 * every['utilisation']:.0f}",
            f"{every['kwh']:,.0f}",
            f"{every['actions']:.0f}",
        ]
        cells += [_share(row["asleep"])] if sleeps else []
        if events:
            cells.append(f"{100 * row['in_events']['dropped']:.4f}")
            cells += [_share(row["readiness"]), _number(row["minutes_late"])]
        table.add_row(*cells)
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
