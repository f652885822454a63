"""Objects as `prescaler keda` prints them, for workloads of every kind that changes them."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from typer.testing import CliRunner

from prescaler.apps.cli.main import app

Manifest = dict[str, Any]

FORMULAS: Final = ("formula", "carry-on")
VARIANTS: Final = (*FORMULAS, "two-triggers")
LEAST: Final = 3
"""Pods of every workload here when nothing is known."""

_COMMON: Final[Manifest] = {
    "demand": {"source": ["main"], "query": "sum(rate(requests[1m]))"},
    "capacity": {"per_pod": 100, "utilisation": 0.8},
    "policy": {"min_pods": LEAST},
}


@dataclass(frozen=True)
class Case:
    """A workload, and what one pod's worth of load is to each side of the formula.

    predicted: in what we serve. reactive: in what Prometheus answers, all sources together.
    """

    name: str
    section: Manifest
    predicted: float
    reactive: float
    formula: str
    carry_on: str

    def __str__(self) -> str:
        return self.name

    @property
    def sources(self) -> int:
        """How many reactive triggers it has."""
        return len({**_COMMON, **self.section}["demand"]["source"])

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants that can be printed: two triggers cannot add sources up."""
        return VARIANTS if self.sources == 1 else FORMULAS

    @property
    def in_pods(self) -> bool:
        """Whether we serve pods."""
        return "unit" in self.section.get("capacity", {})


def _carry_on(nil: str, reactive: str) -> str:
    return f"{nil} ? ((predicted ?? 0) > 0 ? predicted : nil) : max(predicted ?? 0, {reactive})"


_TWO_SOURCES: Final = {"source": ["main", "other"], "query": "sum(rate(requests[1m]))"}
_ONE_NIL: Final = "reactive == nil"
_TWO_NIL: Final = "reactive1 == nil || reactive2 == nil"

CASES: Final = (
    Case(
        "plain",
        {},
        predicted=80,
        reactive=80,
        formula="max(predicted ?? 0, reactive)",
        carry_on=_carry_on(_ONE_NIL, "reactive"),
    ),
    Case(
        "own-target",
        {"reactive": {"query": "sum(busy_workers)", "target": 40}},
        predicted=80,
        reactive=40,
        formula="max(predicted ?? 0, reactive * 2)",
        carry_on=_carry_on(_ONE_NIL, "reactive * 2"),
    ),
    Case(
        "two-sources",
        {"demand": _TWO_SOURCES},
        predicted=80,
        reactive=80,
        formula="max(predicted ?? 0, reactive1 + reactive2)",
        carry_on=_carry_on(_TWO_NIL, "reactive1 + reactive2"),
    ),
    Case(
        "two-sources-own-target",
        {"demand": _TWO_SOURCES, "reactive": {"target": 160}},
        predicted=80,
        reactive=160,
        formula="max(predicted ?? 0, (reactive1 + reactive2) * 0.5)",
        carry_on=_carry_on(_TWO_NIL, "(reactive1 + reactive2) * 0.5"),
    ),
    Case(
        "in-pods",
        {"capacity": {"per_pod": 0.5, "utilisation": 0.8, "unit": "pods"}},
        predicted=1,
        reactive=0.4,
        formula="max(predicted ?? 0, reactive * 2.5)",
        carry_on=_carry_on(_ONE_NIL, "reactive * 2.5"),
    ),
)


def write_configuration(path: Path, *sections: Manifest) -> Path:
    """A configuration with workloads of these fields above the common ones."""
    target = {"namespace": "prod", "min_pods": 2, "max_pods": 200}
    servers = {name: {"url": f"http://{name}.monitoring:9090"} for name in ("main", "other")}
    content = {
        "prometheus": servers,
        "store": {"url": f"sqlite:///{path.parent / 'prescaler.sqlite'}"},
        "workloads": [
            {**_COMMON, "scale_target": {"name": section["name"], **target}, **section}
            for section in sections
        ],
    }
    path.write_text(yaml.safe_dump(content))
    return path


@cache
def print_keda(configuration: Path, workload: str, *options: str) -> str:
    """The output of `prescaler keda`."""
    arguments = ["keda", workload, "--config", str(configuration), *options]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    return result.output


def print_objects(configuration: Path, workload: str, variant: str) -> tuple[Manifest, Manifest]:
    """The ScaledObject and the TriggerAuthentication of a variant."""
    printed = print_keda(configuration, workload, "--variant", variant)
    scaled, authentication = yaml.safe_load_all(printed)
    return scaled, authentication
