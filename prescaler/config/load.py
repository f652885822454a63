"""From files to settings: read, merge, check everything, and say every problem at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prescaler.config.checks import between_workloads, retention_problems, workload_problems
from prescaler.config.convert import to_workload
from prescaler.config.feeds import feed_problems
from prescaler.config.fields import Section, UnsoundField
from prescaler.config.mend import validated
from prescaler.config.models import FileSection, KeySection, StoreSection, WorkloadSection
from prescaler.config.partial import Complaint, answered
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
        raise InvalidConfiguration([Problem(str(path), None, "", text), *document.problems])
    reading = _Reading(document, document.content)
    top = reading.top_level()
    written, files = reading.written_workloads()
    workloads = reading.workloads(written, top)
    store, keys = reading.store(top), reading.keys(top) if with_keys else ()
    reading.feeds(top, written)
    if reading.found or store is None:
        raise InvalidConfiguration(list(reading.found))
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


class _Reading:
    """Reads one part after the other, and collects problems on the way."""

    def __init__(self, document: Document, content: dict[str, Any]) -> None:
        self.document = document
        self.content = content
        self.found: dict[Problem, KeyPath] = dict.fromkeys(document.problems, ())
        defaults = content.get("defaults")
        self.defaults = defaults if isinstance(defaults, dict) else {}

    def top_level(self) -> FileSection:
        """Everything but the workloads, as far as it is sound."""
        content = {key: value for key, value in self.content.items() if key != "workloads"}
        section, complaints = validated(FileSection, content)
        self._complain([*complaints, *answered(_retention, section)])
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

    def workloads(self, written: Sequence[_Written], top: FileSection) -> tuple[Workload, ...]:
        """The workloads; none where one of them has a problem."""
        self._defaults()
        sources, sections = _sources(top), []
        sound = True
        for one in written:
            section, complaints = validated(WorkloadSection, _merged(self.defaults, one.content))
            complaints += workload_problems(section, sources)
            for path, text in complaints:
                self._workload_problem(text, one, path)
            sections.append(section)
            sound = sound and not complaints
        for number, path, text in between_workloads(sections):
            self._workload_problem(text, written[number], path)
        return tuple(to_workload(section) for section in sections) if sound else ()

    def store(self, top: FileSection) -> StoreUrls | None:
        """The addresses of the database; None where they cannot be had."""
        try:
            return self._store(top.store)
        except UnsoundField:
            return None
        except MissingSecret as error:
            self._problem(str(error), ("store",))
            return None

    def keys(self, top: FileSection) -> tuple[Key, ...]:
        """The API's keys with their values; none where they cannot be had."""
        found, names = [], set[str]()
        try:
            listed = top.keys
        except UnsoundField:
            return ()
        for number, section in enumerate(listed):
            self._complain(answered(_key_name_taken, section, names), ("keys", number))
            found.append(Key(section, self._key_values(section, ("keys", number))))
        return tuple(found)

    def feeds(self, top: FileSection, written: Sequence[_Written]) -> None:
        """The calendars of events."""
        self._complain(answered(_feed_problems, top, _all_names(written)))

    def _store(self, section: StoreSection) -> StoreUrls | None:
        url, direct = section.url, section.direct_url_env
        if not self._one_of(section, ("url_env", "url_file", "url"), ("store",)):
            return None
        if url is not None and not url.startswith("sqlite:"):
            text = "an address with credentials belongs into url_env or url_file"
            self._problem(text, ("store", "url"))
        main = url or secret(section.url_env, section.url_file)
        return StoreUrls(main, secret(direct, None) if direct else main)

    def _key_values(self, section: KeySection, path: KeyPath) -> tuple[str, ...]:
        try:
            if not self._one_of(section, ("value_env", "value_file"), path):
                return ()
            values = tuple(secret(section.value_env, section.value_file).split())
        except UnsoundField:
            return ()
        except MissingSecret as error:
            self._problem(str(error), path)
            return ()
        if any(len(value) < _SHORTEST_KEY for value in values):
            self._problem(f"a key has at least {_SHORTEST_KEY} characters", path)
        return values

    def _one_of(self, section: Section, names: Sequence[str], path: KeyPath) -> bool:
        """Whether exactly one is given; a complaint below, as of a wrong key, says it already."""
        given = [name for name in names if getattr(section, name) is not None]
        if len(given) != 1 and not any(place[: len(path)] == path for place in self.found.values()):
            self._problem(f"give exactly one of {', '.join(names)}", path)
        return len(given) == 1

    def _defaults(self) -> None:
        """What is wrong in the defaults whatever the workloads add; they may be without some."""
        _, complaints = validated(WorkloadSection, self.defaults)
        written = [one for one in complaints if _stands_in(self.defaults, one[0])]
        self._complain(written, ("defaults",))

    def _included(self, path: Path) -> list[_Written]:
        try:
            document = read_yaml(path)
        except InvalidConfiguration as error:
            self._note(error.problems)
            return []
        self._note(document.problems)
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

    def _note(self, problems: Iterable[Problem]) -> None:
        self.found |= dict.fromkeys(problems, ())

    def _complain(self, complaints: Iterable[Complaint], path: KeyPath = ()) -> None:
        for place, text in complaints:
            self._problem(text, (*path, *place))

    def _problem(self, text: str, path: KeyPath, document: Document | None = None) -> None:
        where = document or self.document
        problem = Problem(where.file, where.line_of(path), dotted(path), text)
        self.found.setdefault(problem, path)


def _retention(top: FileSection) -> Iterator[Complaint]:
    return retention_problems(top.retention)


def _feed_problems(top: FileSection, names: set[str]) -> Iterator[Complaint]:
    return feed_problems(top.events.feeds, names)


def _key_name_taken(section: KeySection, names: set[str]) -> Iterator[Complaint]:
    if section.name in names:
        yield ("name",), f"the key name {section.name!r} stands twice"
    names.add(section.name)


def _sources(top: FileSection) -> set[str] | None:
    """The names of the sources; None where they cannot be known."""
    try:
        return set(top.prometheus)
    except UnsoundField:
        return None


def _all_names(written: Sequence[_Written]) -> set[str]:
    """Names and aliases of every workload, also of those that have problems."""
    found = ([one.content.get("name"), *_as_list(one.content.get("aliases"))] for one in written)
    return {name for names in found for name in names if isinstance(name, str)}


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
