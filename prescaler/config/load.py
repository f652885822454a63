"""From files to settings: read, merge, check everything, and say every problem at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prescaler.config.checks import (
    duplicate_names,
    retention_problems,
    strange_siblings,
    workload_problems,
)
from prescaler.config.convert import to_workload
from prescaler.config.feeds import feed_problems
from prescaler.config.mend import validated
from prescaler.config.models import FileSection, KeySection, WorkloadSection
from prescaler.config.problems import InvalidConfiguration, Problem
from prescaler.config.secrets import MissingSecret, secret
from prescaler.config.settings import Key, Settings, StoreUrls
from prescaler.config.yaml_file import Document, KeyPath, dotted, read_yaml
from prescaler.core.retention import Retention
from prescaler.core.workload import Workload

_SHORTEST_KEY: Final = 16


@dataclass(frozen=True)
class _Written:
    """One workload as written, and where."""

    document: Document
    path: KeyPath
    content: Mapping[str, Any]


def load_settings(path: Path, *, with_keys: bool = True) -> Settings:
    """Read the file and what it includes.

    with_keys: whether the values of the API's keys are needed; a migration does without them.

    Raises:
        InvalidConfiguration: with every problem found, each with its place.
    """
    document = read_yaml(path)
    if not isinstance(document.content, dict):
        text = "holds no mapping of keys; docs/configuration.md has an example"
        raise InvalidConfiguration([Problem(str(path), None, "", text)])
    reading = _Reading(document, document.content)
    top = reading.top_level()
    reading.problems += [
        Problem(str(path), document.line_of(place), dotted(place), text)
        for place, text in (retention_problems(top.retention) if top else ())
    ]
    written, files = reading.written_workloads()
    workloads = reading.workloads(written, top)
    if top is not None:
        store, keys = reading.store(top), reading.keys(top) if with_keys else ()
        reading.check_feeds(top, workloads)
        if store is not None and not reading.problems:
            return Settings(
                prometheus=dict(top.prometheus),
                store=store,
                server=top.server,
                workers=top.scheduler.workers,
                keys=keys,
                workloads=workloads,
                retention=Retention(**dict(top.retention)),
                files=(path, *files, *_key_files(top)),
                includes=top.include,
                feeds=top.events.feeds,
            )
    raise InvalidConfiguration(reading.problems)


class _Reading:
    """Reads one part after the other, and collects problems on the way."""

    def __init__(self, document: Document, content: dict[str, Any]) -> None:
        self.document = document
        self.content = content
        self.problems: list[Problem] = []
        defaults = content.get("defaults")
        self.defaults = defaults if isinstance(defaults, dict) else {}

    def top_level(self) -> FileSection | None:
        """Everything but the workloads."""
        content = {key: value for key, value in self.content.items() if key != "workloads"}
        section, complaints = validated(FileSection, content)
        for path, text in complaints:
            self._problem(text, path)
        return section

    def written_workloads(self) -> tuple[list[_Written], list[Path]]:
        """The workloads of this file and of the included ones, as written; and those files."""
        written, files = self._listed_in(self.document), []
        for number, pattern in enumerate(_as_list(self.content.get("include"))):
            found = sorted(Path(self.document.file).parent.glob(str(pattern)))
            if not found:
                self._problem(f"{pattern!r} matches no file", ("include", number))
            for path in found:
                files.append(path)
                written += self._included(path)
        return written, files

    def workloads(
        self, written: Sequence[_Written], top: FileSection | None
    ) -> tuple[Workload, ...]:
        """The workloads that are right in themselves; problems noted for the others."""
        sections: list[tuple[_Written, WorkloadSection]] = []
        for one in written:
            section, complaints = validated(WorkloadSection, _merged(self.defaults, one.content))
            for path, text in complaints:
                self._workload_problem(text, one, path)
            sections += [(one, section)] if section is not None else []
        sources = set(top.prometheus) if top else None
        sound = []
        for one, section in sections:
            found = list(workload_problems(section, sources))
            for path, text in found:
                self._workload_problem(text, one, path)
            sound += [] if found else [section]
        listed = [section for _, section in sections]
        for number, path, text in [*duplicate_names(listed), *strange_siblings(listed)]:
            self._workload_problem(text, sections[number][0], path)
        return tuple(to_workload(section) for section in sound)

    def store(self, top: FileSection) -> StoreUrls | None:
        """The addresses of the database."""
        section = top.store
        given = [v for v in (section.url, section.url_env, section.url_file) if v is not None]
        if len(given) != 1:
            self._problem("give exactly one of url_env, url_file, url", ("store",))
            return None
        if section.url is not None and not section.url.startswith("sqlite:"):
            text = "an address with credentials belongs into url_env or url_file"
            self._problem(text, ("store", "url"))
        try:
            main = section.url or secret(section.url_env, section.url_file)
            direct = secret(section.direct_url_env, None) if section.direct_url_env else main
        except MissingSecret as error:
            self._problem(str(error), ("store",))
            return None
        return StoreUrls(main, direct)

    def keys(self, top: FileSection) -> tuple[Key, ...]:
        """The API's keys with their values."""
        found, names = [], set()
        for number, section in enumerate(top.keys):
            if section.name in names:
                self._problem(f"the key name {section.name!r} stands twice", ("keys", number))
            names.add(section.name)
            found.append(Key(section, self._key_values(section, ("keys", number))))
        return tuple(found)

    def check_feeds(self, top: FileSection, workloads: Sequence[Workload]) -> None:
        """The calendars of events."""
        names = {name for w in workloads for name in (w.name, *w.aliases)}
        for path, text in feed_problems(top.events.feeds, names):
            self._problem(text, path)

    def _key_values(self, section: KeySection, path: KeyPath) -> tuple[str, ...]:
        if (section.value_env is None) == (section.value_file is None):
            self._problem("give exactly one of value_env and value_file", path)
            return ()
        try:
            values = tuple(secret(section.value_env, section.value_file).split())
        except MissingSecret as error:
            self._problem(str(error), path)
            return ()
        if any(len(value) < _SHORTEST_KEY for value in values):
            self._problem(f"a key has at least {_SHORTEST_KEY} characters", path)
        return values

    def _included(self, path: Path) -> list[_Written]:
        try:
            document = read_yaml(path)
        except InvalidConfiguration as error:
            self.problems += error.problems
            return []
        if isinstance(document.content, dict) and set(document.content) == {"workloads"}:
            return self._listed_in(document)
        self._problem("an included file holds `workloads:` and nothing else", (), document)
        return []

    def _listed_in(self, document: Document) -> list[_Written]:
        listed = document.content.get("workloads")
        if listed is not None and not isinstance(listed, list):
            self._problem("must be a list", ("workloads",), document)
        written = []
        for number, content in enumerate(_as_list(listed)):
            path: KeyPath = ("workloads", number)
            if isinstance(content, dict):
                written.append(_Written(document, path, content))
            else:
                self._problem("must be a mapping with at least a name", path, document)
        return written

    def _workload_problem(self, text: str, one: _Written, path: KeyPath) -> None:
        """Note a problem where it was written: at the workload, or at the defaults."""
        if not _stands_in(one.content, path) and _stands_in(self.defaults, path):
            self._problem(text, ("defaults", *path))
            return
        self._problem(text, (*one.path, *path), one.document)

    def _problem(self, text: str, path: KeyPath, document: Document | None = None) -> None:
        where = document or self.document
        problem = Problem(where.file, where.line_of(path), dotted(path), text)
        if problem not in self.problems:
            self.problems.append(problem)


def _key_files(top: FileSection) -> list[Path]:
    return [Path(key.value_file) for key in top.keys if key.value_file is not None]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _merged(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults below, the workload's own above; mappings are merged, all else is replaced."""
    merged = dict(defaults)
    for key, value in own.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged


def _stands_in(content: Any, path: KeyPath) -> bool:
    for key in path:
        try:
            content = content[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True
