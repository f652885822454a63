"""The configuration as the rest of the program sees it: frozen, typed, complete."""

from dataclasses import dataclass
from pathlib import Path

from prescaler.config.feeds import FeedSection
from prescaler.config.models import KeySection, PrometheusSection, ServerSection
from prescaler.core.retention import Retention
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
    """Everything that was configured.

    files: those that were read, those with keys too. includes: patterns that may match new ones.
    """

    prometheus: dict[str, PrometheusSection]
    store: StoreUrls
    server: ServerSection
    workers: int
    keys: tuple[Key, ...]
    workloads: tuple[Workload, ...]
    retention: Retention
    files: tuple[Path, ...]
    includes: tuple[str, ...]
    feeds: tuple[FeedSection, ...] = ()

    def workload(self, name: str) -> Workload | None:
        """The workload of a name."""
        return next((w for w in self.workloads if w.name == name), None)

    @property
    def workload_names(self) -> frozenset[str]:
        """Names and aliases: an event may have been planned under the former one."""
        return frozenset(name for w in self.workloads for name in (w.name, *w.aliases))

    def signature(self) -> tuple[tuple[str, int, int, int], ...]:
        """Changes whenever a file that counts is written, added, removed or replaced."""
        main = self.files[0]
        found = {*self.files, *(p for pattern in self.includes for p in main.parent.glob(pattern))}
        return tuple(_stamp(path) for path in sorted(found))


def _stamp(path: Path) -> tuple[str, int, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (str(path), 0, 0, 0)
    return (str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino)
