"""What pydantic says, in words that tell how to mend it."""

import difflib
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from prescaler.config.fields import Section
from prescaler.config.partial import Complaint, partial
from prescaler.config.yaml_file import KeyPath

_SECRET_KEYS: Final = frozenset({"value", "password", "token", "bearer", "secret"})

_WANTED: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}

_Section = TypeVar("_Section", bound=Section)


def validated(
    model: type[_Section], content: Mapping[str, Any]
) -> tuple[_Section, list[Complaint]]:
    """The section, and every complaint; with complaints, the section as far as it is sound."""
    try:
        return model.model_validate(content), []
    except ValidationError as error:
        return partial(model, content), list(_complaints(error, model))


def _complaints(error: ValidationError, model: type[BaseModel]) -> Iterator[Complaint]:
    errors = error.errors(include_url=False)
    for found in errors:
        path: KeyPath = found["loc"]
        echo = found["type"] == "too_short" and any(path == one["loc"][:-1] for one in errors)
        if not echo:  # of a list whose only entry was refused
            yield path, _text(model, path, found)


def _text(model: type[BaseModel], path: KeyPath, found: Any) -> str:
    kind, context = found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(model, path)
    value = _shown(found.get("input"))
    texts = {
        "missing": f"is missing{_described(model, path)}",
        "value_error": str(context.get("error")),
        "enum": f"is {value}, must be one of {context.get('expected')}",
        "literal_error": f"is {value}, must be {context.get('expected')}",
        "string_pattern_mismatch": f"{value} has the wrong form{_described(model, path)}",
    }
    if kind in _WANTED:
        return f"is {value}, must be {_WANTED[kind]}"
    return texts.get(kind, f"{found['msg'][:1].lower()}{found['msg'][1:]} (it is {value})")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line's worth


def _unknown_key(model: type[BaseModel], path: KeyPath) -> str:
    key = str(path[-1])
    known = _fields_at(model, path[:-1])
    if key in _SECRET_KEYS and known:
        ways = [name for name in known if name.endswith(("_env", "_file"))]
        return f"a secret does not stand in this file; use {' or '.join(ways)}"
    near = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(known))}"
    return f"unknown key {key[:60]!r}; {hint}"


def _described(model: type[BaseModel], path: KeyPath) -> str:
    parent = _model_at(model, path[:-1])
    field = parent.model_fields.get(str(path[-1])) if parent else None
    return f": {field.description}" if field and field.description else ""


def _fields_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    found = _model_at(model, path)
    return list(found.model_fields) if found else []


def _model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """The model that stands at a key path."""
    found: type[BaseModel] | None = model
    inner: Any = model
    for key in path:
        if found is not None and str(key) in found.model_fields:
            inner = found.model_fields[str(key)].annotation
        found = _model_in(inner)
    return found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The first model inside an annotation such as `tuple[Section, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in typing.get_args(annotation):
        found = _model_in(part)
        if found is not None:
            return found
    return None
