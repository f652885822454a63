"""What past crowds taught, in memory: for dry runs and tests."""

from collections.abc import Mapping
from datetime import datetime

from prescaler.core.records import HistoryVersion
from prescaler.core.uplift import UpliftModel


class MemoryUplifts:
    """`UpliftStore` in memory."""

    def __init__(self) -> None:
        self._models: dict[int, tuple[datetime, UpliftModel]] = {}

    def get(self, version: HistoryVersion) -> UpliftModel | None:
        """What was learnt last."""
        found = self._models.get(version.id)
        return found[1] if found else None

    def put(self, version: HistoryVersion, model: UpliftModel, at: datetime) -> None:
        """Replace what was learnt before."""
        self._models[version.id] = (at, model)

    def learned(self) -> Mapping[int, datetime]:
        """When each version's was stored, by version id."""
        return {version: at for version, (at, _) in self._models.items()}
