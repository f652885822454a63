"""Pods that run, and how long they took to start, as kube-state-metrics tells Prometheus.

Many workloads are asked about in one query: a union of small terms, each marked with the workload
it belongs to.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from prescaler.adapters.prometheus.access import PrometheusAccess
from prescaler.adapters.prometheus.session import PrometheusSession
from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.errors import AnswerNotUnderstood, SourceRefused
from prescaler.core.instants import from_epoch
from prescaler.core.lead_time import MeasuredStarts, start_time
from prescaler.core.records import PodCount, PodHistory
from prescaler.core.workload import PodQuery

_LONGEST: Final = timedelta(seconds=5)
"""For one answer: what is older than a minute is worth nothing."""

_TOGETHER: Final = 50
_MOST_PODS: Final = 1_000_000
_NODE_WAIT: Final = 15.0
"""A pod that waited longer than this before its node took it in had to wait for a node."""

_LOOK: Final = "1d"


class PrometheusPods:
    """`PodSource` on one server."""

    def __init__(self, access: PrometheusAccess) -> None:
        self._url = f"{access.url.rstrip('/')}/api/v1/query"
        self._session = PrometheusSession(replace(access, timeout=min(access.timeout, _LONGEST)))

    def running(self, asked: Mapping[str, PodQuery], at: datetime) -> Mapping[str, PodCount]:
        """Counts by workload; those of which nothing is known are left out."""
        found: dict[str, PodCount] = {}
        names = list(asked)
        for first in range(0, len(names), _TOGETHER):
            found |= self._batch({n: asked[n] for n in names[first : first + _TOGETHER]}, at)
        return found

    def starts(self, asked: PodQuery, at: datetime) -> MeasuredStarts:
        """Start times over the day before an instant."""
        pods = f'{{namespace="{_text(asked.namespace)}",pod=~"{_pod_pattern(asked)}"}}'
        ready, begun, created = (
            f"min by (namespace, pod, uid) (min_over_time({name}{pods}[{_LOOK}]))"
            for name in ("kube_pod_status_ready_time", "kube_pod_start_time", "kube_pod_created")
        )
        started = self._numbers(f"{ready} - {begun}", at)
        waited = self._numbers(f"{begun} - {created}", at)
        nodes = [seconds for seconds in waited if seconds > _NODE_WAIT]
        return MeasuredStarts(start_time(started), start_time(nodes), len(started), len(nodes))

    def history(self, asked: PodQuery, instants: IntArray) -> PodHistory:
        """Counts at even instants; of several series the largest counts."""
        return PodHistory(
            self._past(asked.running, instants),
            self._past(asked.ready, instants) if asked.ready else np.full(len(instants), np.nan),
        )

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def _past(self, query: str, instants: IntArray) -> FloatArray:
        first, last = int(instants[0]), int(instants[-1])
        step = int(instants[1]) - first if len(instants) > 1 else 1
        params = {"query": f"max({query})", "start": first, "end": last, "step": step}
        found = np.full(len(instants), np.nan)
        for item in self._items(f"{self._url}_range", params, "matrix"):
            for stamp, count in _samples(item):
                place = round((stamp - first) / step)
                if 0 <= place < len(found) and 0 <= count <= _MOST_PODS:
                    found[place] = count
        return found

    def _batch(self, asked: Mapping[str, PodQuery], at: datetime) -> dict[str, PodCount]:
        """One query for all; where it is refused, one for each, so that one is not all."""
        query = " or ".join(term for name, q in asked.items() for term in _terms(name, q))
        try:
            items = self._ask(query, at)
        except SourceRefused:
            if len(asked) == 1:
                raise
            return self._one_by_one(asked, at)
        return _counts(items)

    def _one_by_one(self, asked: Mapping[str, PodQuery], at: datetime) -> dict[str, PodCount]:
        found: dict[str, PodCount] = {}
        refused, failure = 0, None
        for name, query in asked.items():
            try:
                found |= self._batch({name: query}, at)
            except SourceRefused as error:
                refused, failure = refused + 1, error
        if failure is not None and refused == len(asked):
            raise failure
        return found

    def _numbers(self, query: str, at: datetime) -> list[float]:
        return [_value(item)[1] for item in self._ask(query, at)]

    def _ask(self, query: str, at: datetime) -> list[dict[str, Any]]:
        return self._items(self._url, {"query": query, "time": at.timestamp()}, "vector")

    def _items(self, url: str, params: dict[str, Any], wanted: str) -> list[dict[str, Any]]:
        data = self._session.request("POST", url, params=params).document["data"]
        items = data.get("result") if isinstance(data, dict) else None
        if not isinstance(items, list) or data.get("resultType") != wanted:
            raise AnswerNotUnderstood(f"a query about pods gives no {wanted} of numbers")
        return items


def _terms(name: str, asked: PodQuery) -> Iterator[str]:
    """Running pods, ready pods and the instant of the count, marked.

    Of several series (two kube-state-metrics) the largest counts. `timestamp` of a plain selector
    is the sample's own instant.
    """
    for mark, expression in (
        ("running", f"max({asked.running})"),
        ("ready", f"max({asked.ready})" if asked.ready else None),
        ("at", f"max(timestamp({asked.running}))"),
    ):
        if expression is not None:
            marked = f'label_replace({expression}, "prescaler_kind", "{mark}", "", "")'
            yield f'label_replace({marked}, "prescaler_workload", "{name}", "", "")'


def _counts(items: Sequence[dict[str, Any]]) -> dict[str, PodCount]:
    seen: dict[str, dict[str, float]] = {}
    for item in items:
        labels, value = _value(item)
        seen.setdefault(labels.get("prescaler_workload", ""), {})[
            labels.get("prescaler_kind", "")
        ] = value
    return {name: count for name, row in seen.items() if (count := _count(row)) is not None}


def _count(row: Mapping[str, float]) -> PodCount | None:
    running, ready, at = (row.get(mark, math.nan) for mark in ("running", "ready", "at"))
    if not 0 <= running <= _MOST_PODS or not math.isfinite(at):
        return None
    known = 0 <= ready <= _MOST_PODS
    return PodCount(int(running), int(ready) if known else None, from_epoch(int(at)))


def _value(item: Any) -> tuple[dict[str, str], float]:
    try:
        return item["metric"], float(item["value"][1])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise AnswerNotUnderstood(f"a count of pods is no number ({error})") from error


def _samples(item: Any) -> list[tuple[float, float]]:
    try:
        return [(float(stamp), float(count)) for stamp, count in item["values"]]
    except (KeyError, TypeError, ValueError) as error:
        raise AnswerNotUnderstood(f"a count of pods is no number ({error})") from error


def _pod_pattern(asked: PodQuery) -> str:
    """Names of the pods: a Deployment's carry two random parts, a StatefulSet's a number."""
    name = "".join(f"\\\\{c}" if c in ".+*?()[]{}|^$" else c for c in _text(asked.name))
    return f"{name}-[0-9]+" if asked.kind == "StatefulSet" else f"{name}-[a-z0-9]+-[a-z0-9]{{5}}"


def _text(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
