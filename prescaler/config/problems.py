"""Problems of a configuration: all of them at once, each with its place."""

from collections.abc import Sequence
from dataclasses import dataclass

from prescaler.core.errors import ConfigurationError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where (file, line, path of keys) and how to mend it."""

    file: str
    line: int | None
    path: str
    text: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.path}: {self.text}" if self.path else f"{place}: {self.text}"


class InvalidConfiguration(ConfigurationError):
    """The configuration has problems; nothing was started."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.file, p.line or 0)))
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{count} in the configuration:\n{lines}")
