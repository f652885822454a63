"""A picture of a backtest that a person can look at."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from prescaler.adapters.files.whole import whole
from prescaler.core.backtest import Issue
from prescaler.core.errors import BadParameter
from prescaler.core.instants import to_epoch
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.series import Series

_SHOWN = 7
_FORMS = (".png", ".svg", ".pdf")
_BAND = (QUANTILES.index(0.05), QUANTILES.index(0.95))


def check_plot(path: Path) -> None:
    """Before the work, so that none is lost to a picture that cannot be written.

    Raises:
        BadParameter: matplotlib is not installed, the name does not end in a known form, or the
            folder cannot be written to.
    """
    if find_spec("matplotlib") is None:
        raise BadParameter("--plot needs matplotlib: pip install 'prescaler[plot]'")
    if path.suffix.lower() not in _FORMS:
        raise BadParameter(f"--plot {path}: the name must end in {', '.join(_FORMS)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadParameter(f"--plot {path}: {error}") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise BadParameter(f"--plot {path}: it cannot be written there")


def plot_forecasts(path: Path, series: Series, issues: list[Issue], title: str) -> None:
    """Draw some forecasts of the day grid, one panel each: what came, median, 0.05 to 0.95.

    Raises:
        BadParameter: it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = _chosen(series, issues)
    figure = Figure(figsize=(11, 2.2 * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = np.atleast_1d(figure.subplots(len(shown), 1))
    for panel, issue in zip(panels, shown, strict=True):
        _panel(panel, series, issue)
    panels[0].legend(loc="upper right", ncols=3, frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=11)
    try:
        with whole(path) as part:
            figure.savefig(part, dpi=110, format=path.suffix.lower().removeprefix("."))
    except OSError as error:
        raise BadParameter(f"--plot {path}: {error}") from error


def _chosen(series: Series, issues: list[Issue]) -> list[Issue]:
    """Some, spread over all whose horizon lies in the trace."""
    whole = [i for i in issues if series.index_of(i.cutoff) + len(i.values) < len(series)]
    pick = np.unique(np.linspace(0, len(whole or issues) - 1, _SHOWN).astype(int))
    return [(whole or issues)[i] for i in pick]


def _panel(panel: Any, series: Series, issue: Issue) -> None:
    steps, first = len(issue.values), series.index_of(issue.cutoff) + 1
    seconds = int(series.step.total_seconds())
    stamps = to_epoch(issue.cutoff) + seconds * np.arange(1, steps + 1)
    when = pd.to_datetime(stamps, unit="s", utc=True)
    came = series.mean[first : first + steps]
    values = np.asarray(issue.values)
    low, high = (values[:, q] for q in _BAND)
    panel.fill_between(when, low, high, color="#3b7dd8", alpha=0.2, lw=0, label="0.05 to 0.95")
    panel.plot(when, values[:, MEDIAN], color="#1b4f9c", lw=1.2, label="median")
    panel.plot(when[: len(came)], came, color="#d1495b", lw=0.9, label="what came")
    panel.set_ylim(bottom=0)
    panel.set_title(f"cutoff {issue.cutoff:%Y-%m-%d %H:%M} UTC", fontsize=8, loc="left")
    panel.tick_params(labelsize=7)
