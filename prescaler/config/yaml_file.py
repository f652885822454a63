"""YAML 1.2 with line numbers.

PyYAML reads the structure (in C: 1,500 workloads in 0.4 s, a pure reader takes 4 s), and the values
are resolved here by the core schema of YAML 1.2: in 1.1, `mode: off` would be false and `19:30` the
number 1170. Duplicate keys are refused: the one that loses would be lost in silence.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from prescaler.config.problems import InvalidConfiguration, Problem

KeyPath: TypeAlias = tuple[str | int, ...]

_LARGEST_FILE: Final = 16 * 2**20
_MOST_VALUES: Final = 2_000_000
_DEEPEST: Final = 30
_TOO_DEEP: Final = f"more than {_MOST_VALUES} values, or nested deeper than {_DEEPEST}"
_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_QUOTED: Final = frozenset({"'", '"', "|", ">"})
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN: Final = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass(frozen=True)
class Document:
    """One file's content, the line on which each key path begins, and keys that stand twice."""

    file: str
    content: Any
    lines: dict[KeyPath, int]
    problems: Sequence[Problem] = ()

    def line_of(self, path: KeyPath) -> int | None:
        """The line of a path, or of its nearest parent that is written down."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None


def read_yaml(path: Path) -> Document:
    """Read one file.

    Raises:
        InvalidConfiguration: not there, not readable, too large, no YAML, or too much of it.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InvalidConfiguration([Problem(str(path), None, "", "larger than 16 MiB")])
        text = path.read_text(encoding="utf-8")
        if _depth(text) > _DEEPEST:
            raise InvalidConfiguration([Problem(str(path), None, "", _TOO_DEEP)])
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except OSError as error:
        text = f"cannot be read: {error.strerror}"
        raise InvalidConfiguration([Problem(str(path), None, "", text)]) from error
    except UnicodeDecodeError as error:
        text = f"is no UTF-8 text (byte {error.start})"
        raise InvalidConfiguration([Problem(str(path), None, "", text)]) from error
    except yaml.YAMLError as error:
        raise InvalidConfiguration([_syntax_problem(path, error)]) from error
    builder = _Builder(str(path))
    content = builder.build(root, ()) if root is not None else None
    return Document(str(path), content, builder.lines, tuple(builder.problems))


def _depth(text: str) -> int:
    """How deeply it is nested. Composing goes down the C stack, which a bad file must not break."""
    depth = deepest = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            deepest = max(deepest, depth)
            if depth > _DEEPEST:
                break
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return deepest


def _syntax_problem(path: Path, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    return Problem(str(path), mark.line + 1 if mark else None, "", f"is no YAML: {what}")


@dataclass
class _Builder:
    """Turns nodes into values, keeping count: aliases may not multiply without bound."""

    file: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    count: int = 0

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self.count += 1
        if self.count > _MOST_VALUES or len(path) > _DEEPEST:
            raise InvalidConfiguration([Problem(self.file, None, "", _TOO_DEEP)])
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in found:
                text = f"the key {key!r} stands twice; keep one"
                self.problems.append(Problem(self.file, line, dotted(path), text))
            self.lines[(*path, key)] = line
            found[key] = self.build(value_node, (*path, key))
        return found


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    if getattr(node, "style", None) in _QUOTED:
        return text
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def dotted(path: KeyPath) -> str:
    """`workloads[3].forecast.step`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text
