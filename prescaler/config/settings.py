"""The configuration as the rest of the program sees it: frozen, typed, complete."""

from dataclasses import dataclass
from pathlib import Path

from prescaler.config.models import KeySection, PrometheusSection, ServerSection
from prescaler.core.workload import Workload


@dataclass(frozen=True)
class StoreUrls:
    """Where the database is. direct: past any transaction pooler."""

    main: str
    direct: str


@dataclass(frozen=True)
class Key:
    """One key of the API with its present values (several during a rotation)."""

    section: KeySection
    values: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """Everything that was configured. files: those that were read, for watching them."""

    prometheus: dict[str, PrometheusSection]
    store: StoreUrls
    server: ServerSection
    workers: int
    keys: tuple[Key, ...]
    workloads: tuple[Workload, ...]
    files: tuple[Path, ...]

    def workload(self, name: str) -> Workload | None:
        """The workload of a name."""
        return next((w for w in self.workloads if w.name == name), None)
