"""The frontier as a picture: pod-hours against dropped demand, over everything and in events."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

FLOOR = 1e-7
"""Where nothing was dropped: the foot of a logarithmic axis."""

_COLOURS = {"reactive": "#c2570c", "prescaler": "#2563c9", "prescaler_calendar": "#0b7a55"}


def frontier_picture(path: Path, found: dict[str, Any]) -> None:
    """Write it as SVG. found: the document of a replay (docs/replay.md)."""
    parts = ["all", *(["in_events"] if found["period"]["events"] else [])]
    figure = Figure(figsize=(7 * len(parts), 5), layout="constrained")
    FigureCanvasSVG(figure)
    for place, part in enumerate(parts, 1):
        axes = figure.add_subplot(1, len(parts), place)
        _dots(axes, found, part)
        _named(axes, found, part)
        axes.set_yscale("log")
        axes.set_xlabel("pod-hours of the period")
        axes.set_ylabel("demand dropped, % (foot: none)")
        where = "everything" if part == "all" else "event windows"
        axes.set_title(f"{found['workload']}: {where}", loc="left")
        axes.grid(visible=True, alpha=0.25)
    figure.axes[0].legend(loc="upper right", fontsize=8)
    figure.savefig(path)


def _dots(axes: Axes, found: dict[str, Any], part: str) -> None:
    """Every setting as a dot, and a line through those of a side that nothing of it beats."""
    for arm, colour in _COLOURS.items():
        rows = [row for row in found["sweep"] if row["setting"]["arm"] == arm]
        points = sorted((row["all"]["pod_hours"], _percent(row[part]["dropped"])) for row in rows)
        if not points:
            continue
        axes.plot(*zip(*points, strict=True), ".", color=colour, alpha=0.35)
        best, least = [], float("inf")
        for hours, dropped in points:
            if dropped < least:
                best.append((hours, dropped))
                least = dropped
        axes.plot(*zip(*best, strict=True), color=colour, label=arm.replace("_", " with "))


def _named(axes: Axes, found: dict[str, Any], part: str) -> None:
    """Today's setting, and the advised one."""
    rows = {row["setting"]["text"]: row for row in found["sweep"]}
    best = (found["advice"] or {}).get("best")
    named = {"today": found["present"]["setting"]["text"]}
    if best is not None:
        named["advised"] = best["setting"]["text"]
    for name, text in named.items():
        row = rows.get(text)
        if row is not None:
            at = (row["all"]["pod_hours"], _percent(row[part]["dropped"]))
            axes.plot(*at, "o" if name == "today" else "D", color="#1c2733", fillstyle="none")
            axes.annotate(f"{name}: {text}", at, xytext=(8, 6), textcoords="offset points", size=8)


def _percent(share: float) -> float:
    return 100 * max(share, FLOOR)
