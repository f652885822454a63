"""Events from YAML (or JSON): a list of mappings, alone or under `events:`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import yaml

from prescaler.adapters.events.entries import Entry, found_events, row_key, typed
from prescaler.core.errors import FeedNotUnderstood
from prescaler.core.event_records import FeedRules, FoundEvents

_DEEPEST: Final = 12
_NULLS: Final = ("~", "null")
_LISTS: Final = ("events", "items")


class _Loader(yaml.CBaseLoader):
    """Every scalar stays the text it was written as; a key that stands twice is refused."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        if key in found:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key[:40]!r} stands twice", key_node.start_mark
            )
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_list(content: bytes, rules: FeedRules, now: datetime) -> FoundEvents:  # noqa: ARG001 - one signature for all formats
    """Read a YAML file.

    Raises:
        FeedNotUnderstood: no YAML, or no list of events.
        FeedTooLarge: more than 10,000 events.
    """
    try:
        _check_depth(content, rules)
        document = yaml.load(content, Loader=_Loader)  # noqa: S506 - it makes texts, lists and mappings only
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        what = " ".join(str(error).split())[:200]
        raise FeedNotUnderstood(f"{rules.name}: is no YAML: {what}") from error
    if isinstance(document, dict):
        document = next((document[name] for name in _LISTS if name in document), document)
    if not isinstance(document, list):
        raise FeedNotUnderstood(f"{rules.name}: holds no list of events under `events:`")
    return found_events(_entries(document, rules), rules)


def _check_depth(content: bytes, rules: FeedRules) -> None:
    """Composing goes down the C stack, which a bad file must not break."""
    depth = 0
    for event in yaml.parse(content, Loader=yaml.CBaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise FeedNotUnderstood(f"{rules.name}: nested deeper than {_DEEPEST}")


def _entries(document: list[Any], rules: FeedRules) -> Iterator[Entry]:
    for number, one in enumerate(document):
        place = f"event {number + 1}"
        if not isinstance(one, dict):
            yield place, row_key(rules.feed, {"name": str(one)[:100], "start": place}), {}
            continue
        fields = typed({name: value for name, value in one.items() if name != "uid"}, _NULLS)
        if isinstance(fields.get("name"), str):
            place = f"{place} ({fields['name'][:40]})"
        fields.setdefault("timezone", rules.zone.key)
        yield place, row_key(rules.feed, one), fields
