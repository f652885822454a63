"""A replay as one HTML file that needs nothing else: no network, no script."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from prescaler.adapters.files.replay_charts import Dot, Line, frontier_chart, lines_chart
from prescaler.core.errors import BadParameter
from prescaler.core.replay.choice import CHOICE_HEAD, choice_rows
from prescaler.core.replay.promise import Promise

Found = Mapping[str, Any]

_SHOWN: Final = ("reactive", "today_floor", "prescaler", "prescaler_calendar", "oracle")
"""Arms whose curves are switched on at first."""

_STYLE: Final = "replay_page.css"


def write_page(path: Path, found: Found) -> None:
    """Write it.

    Raises:
        BadParameter: it cannot be written there.
    """
    try:
        path.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise BadParameter(f"{path} cannot be written: {error}") from error


def page(found: Found) -> str:
    """The whole file."""
    style = files("prescaler.adapters.files").joinpath(_STYLE).read_text(encoding="utf-8")
    title = f"Replay of {found['workload']}"
    body = "".join(
        (
            f"<h1>{escape(title)}</h1>",
            _facts(found),
            _advice(found["advice"]),
            _section("Arms", _arms(found)),
            _section("Demand and ready pods", _curves(found, "ready", "pods")),
            _section("Dropped demand", _curves(found, "dropped", "load")),
            _section("Frontier", _frontier(found)),
            _events(found),
            _section("Assumed", _assumed(found["assumptions"])),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def _facts(found: Found) -> str:
    period = found["period"]
    missing = 100 * (1 - period["known_share"])
    text = (
        f"{period['start']} to {period['end']}, {period['days']:.1f} days, "
        f"{period['events']} planned events"
    )
    text += f"; {missing:.1f} % of demand is missing and not counted" if missing else ""
    return f"<p>{escape(text)}</p>"


def _advice(advice: Found | None) -> str:
    if advice is None:
        return ""
    words = "".join(f"<li>{escape(word)}</li>" for word in advice["words"])
    title = f"Advice for {advice['promise']['text']}"
    return _section(title, f'<ul class="advice">{words}</ul>{_choice(advice)}{_way(advice["way"])}')


def _choice(advice: Found) -> str:
    if advice["best"] is None:
        return ""
    rows = choice_rows(advice, Promise.parse(advice["promise"]["text"]))
    return _table(CHOICE_HEAD, rows, words=2)


def _way(way: Found | None) -> str:
    if way is None:
        return ""
    parts = []
    for title, name in (
        ("prescaler.yaml", "configuration"),
        ("ScaledObject", "scaled_object_changes"),
    ):
        lines = "".join(_change(one) for one in way[name])
        if lines:
            parts.append(f"<h3>{title}</h3><pre>{lines}</pre>")
    return "".join(parts)


def _change(one: Found) -> str:
    return "".join(
        f'<span class="{side}">{sign} {escape(str(one["path"]))}: {escape(str(one[side]))}</span>\n'
        for sign, side in (("-", "before"), ("+", "after"))
        if one[side] is not None
    )


def _arms(found: Found) -> str:
    events, sleeps = bool(found["period"]["events"]), bool(found["assumptions"].get("sleep"))
    head = ["arm", "pod-hours", "against present", "dropped", "bad minutes a week", "used"]
    head += ["kWh", f"cost {found['assumptions']['prices']['currency']}", "changes a day"]
    head += ["asleep"] if sleeps else []
    head += ["dropped in events", "ready at start", "minutes late"] if events else []
    rows = [_arm_row(row, events=events, sleeps=sleeps) for row in found["arms"]]
    return _table(head, rows)


def _arm_row(row: Found, *, events: bool, sleeps: bool) -> list[str]:
    every = row["all"]
    cells = [
        row["setting"]["text"],
        f"{every['pod_hours']:,.0f}",
        _change_of(row["against_present"]["pod_hours"]),
        _percent(every["dropped"], 4),
        f"{every['bad_minutes_a_week']:.1f}",
        _percent(every["utilisation"], 0),
        f"{every['kwh']:,.0f}",
        f"{every['cost']:,.0f}",
        f"{every['actions']:.0f}",
    ]
    cells += [_percent(row["asleep"], 1)] if sleeps else []
    if events:
        cells.append(_percent(row["in_events"]["dropped"], 4))
        late = row["minutes_late"]
        cells += [_percent(row["readiness"], 1), "-" if late is None else f"{late:.1f}"]
    return cells


def _change_of(change: Found) -> str:
    if change["change"] is None:
        return "-"
    value = 100 * change["change"]
    if change["low"] is None:
        return f"{value:+.1f} % (too few days for an interval)"
    low, high = 100 * change["low"], 100 * change["high"]
    return f"{value:+.1f} % ({low:+.1f} to {high:+.1f})"


def _percent(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """words: so many columns hold words, the others numbers."""
    top = _cells("th", head, words)
    body = "".join(f"<tr>{_cells('td', row, words)}</tr>" for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _cells(tag: str, row: Sequence[str], words: int) -> str:
    return "".join(
        f"<{tag}{' class=words' if place < words else ''}>{escape(str(cell))}</{tag}>"
        for place, cell in enumerate(row)
    )


def _curves(found: Found, kind: str, unit: str) -> str:
    """Every arm's curve, with a box for each that switches it on and off."""
    series = found["series"]
    if not series["stamps"]:
        return ""
    titles = {row["setting"]["arm"]: row["setting"]["text"] for row in found["arms"]}
    lines = [Line(arm, title, series["columns"][f"{kind}:{arm}"]) for arm, title in titles.items()]
    if kind == "dropped" and not any(value for line in lines for value in line.values):
        return "<p>Nothing was dropped.</p>"
    if kind == "ready":
        capacity = found["assumptions"]["per_pod"]
        needed = [None if v is None else v / capacity for v in series["columns"]["demand"]]
        lines = [Line("demand", "demand, in full pods", needed), *lines]
    shown = [arm for arm in titles if arm in _SHOWN] or list(titles)
    return _switches(lines, ("demand", *shown)) + (
        f'<div class="wide">{lines_chart(series["stamps"], lines, unit)}</div></div>'
    )


def _switches(lines: Sequence[Line], shown: Sequence[str]) -> str:
    boxes = "".join(
        f'<label class="key {line.name}"><input type="checkbox" class="of-{line.name}"'
        f"{' checked' if line.name in shown else ''}>{escape(line.title)}</label>"
        for line in lines
    )
    return f'<div class="chart">{boxes}'


def _frontier(found: Found) -> str:
    sweep = found["sweep"]
    if not sweep:
        return ""
    kept = {n for rows in found["frontier"].values() for n in rows}
    named = _named(found)
    dots = [
        Dot(
            row["setting"]["arm"],
            row["setting"]["text"],
            row["all"]["pod_hours"],
            row["all"]["dropped"],
            number in kept,
            named.get(row["setting"]["text"], ""),
        )
        for number, row in enumerate(sweep)
    ]
    keys = "".join(
        f'<span class="key {arm}">{escape(arm.replace("_", " "))}</span> '
        for arm in dict.fromkeys(dot.name for dot in dots)
    )
    note = "Pod-hours to the right, dropped demand upwards; no dot of its side beats a full one."
    return f'<p>{keys}</p><div class="wide">{frontier_chart(dots)}</div><p>{note}</p>'


def _named(found: Found) -> dict[str, str]:
    """Dots that have a name in the picture, by their setting."""
    best = (found["advice"] or {}).get("best")
    named = {found["present"]["setting"]["text"]: "today"} if "present" in found else {}
    return {**named, best["setting"]["text"]: "advised"} if best else named


def _events(found: Found) -> str:
    if not found["events"]:
        return ""
    arms = [one["arm"] for one in found["events"][0]["arms"]]
    head = ["event", "start", "pods needed", *(arm.replace("_", " ") for arm in arms)]
    rows = [
        [
            one["name"],
            one["start"],
            one["needed"],
            *(_percent(at["readiness"], 0) for at in one["arms"]),
        ]
        for one in found["events"]
    ]
    return _section("Ready at the start of each event", _table(head, rows))


def _assumed(assumed: Found) -> str:
    return _table(
        ["what", "value"],
        [[name.replace("_", " "), _plain(value)] for name, value in assumed.items()],
        words=2,
    )


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {inner}" for name, inner in value.items())
    if value is None:
        return "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
