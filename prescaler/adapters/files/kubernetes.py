"""What `kubectl get -o yaml` or `-o json` wrote, as plain mappings in which every scalar is text.

Text, since YAML 1.1 reads an unquoted 19:30:00 as the number 70200.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from prescaler.core.errors import BadParameter

_LARGEST: Final = 64 * 2**20
_DEEPEST: Final = 60


def read_objects(path: Path) -> list[dict[str, Any]]:
    """Objects of a file: several documents, Lists and bare lists are all taken apart.

    Raises:
        BadParameter: no such file, too large, or neither YAML nor JSON.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise BadParameter(f"{path} is larger than {_LARGEST >> 20} MiB")
        text = path.read_text(encoding="utf-8")
        _check_depth(text, path)
        documents = list(yaml.load_all(text, Loader=yaml.CBaseLoader))
    except OSError as error:
        raise BadParameter(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        what = " ".join(str(error).split())[:200]
        raise BadParameter(f"{path} is neither YAML nor JSON: {what}") from error
    return list(_objects(documents))


def _objects(found: Any) -> Iterator[dict[str, Any]]:
    if isinstance(found, list):
        for one in found:
            yield from _objects(one)
    elif isinstance(found, dict):
        items = found.get("items")
        if isinstance(items, list):
            yield from _objects(items)
        else:
            yield found


def _check_depth(text: str, path: Path) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CBaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise BadParameter(f"{path} is nested more than {_DEEPEST} deep")
