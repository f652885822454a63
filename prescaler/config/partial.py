"""A section as far as it is sound, so that rules between fields can complain in the same breath."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ParamSpec,
    TypeAlias,
    TypeGuard,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

from pydantic import TypeAdapter, ValidationError

from prescaler.config.fields import Section, UnsoundField
from prescaler.config.yaml_file import KeyPath

Complaint: TypeAlias = tuple[KeyPath, str]

SectionT = TypeVar("SectionT", bound=Section)
_Asked = ParamSpec("_Asked")


def partial(model: type[SectionT], content: Any) -> SectionT:
    """The model of a content that was refused; reading a field that is wrong raises UnsoundField.

    What is not written has its default, and what must be there and is not cannot be read.
    """
    given = content if isinstance(content, Mapping) else {}
    values: dict[str, Any] = {}
    refused = []
    for name in model.model_fields:
        try:
            values[name] = _value(model, name, given)
        except (ValidationError, UnsoundField):
            refused.append(name)
    section = cast("SectionT", model.model_construct(**values))  # pydantic's plugin names the base
    for name in refused:
        section.__dict__.pop(name, None)
    return section


def answered(
    rule: Callable[_Asked, Iterator[Complaint]], *args: _Asked.args, **kwargs: _Asked.kwargs
) -> Iterator[Complaint]:
    """What a rule says, up to where it reads a field that is wrong and was complained of."""
    try:
        yield from rule(*args, **kwargs)
    except UnsoundField:
        return


def _value(model: type[Section], name: str, given: Mapping[str, Any]) -> Any:
    field = model.model_fields[name]
    if name not in given:
        if field.is_required():
            raise UnsoundField(name)
        default = field.get_default(call_default_factory=True)
        return _adapter(model, name).validate_python(default) if field.validate_default else default
    written, ways = given[name], _ways(field.annotation)
    for kind in ways if written is not None or NoneType not in ways else ():
        if _is_section(kind):
            return _section(kind, written)
        inner = [one for one in get_args(kind) if _is_section(one)]
        if inner and get_origin(kind) is tuple and isinstance(written, list | tuple):
            return tuple(partial(inner[0], value) for value in written)
        if inner and get_origin(kind) is dict and isinstance(written, Mapping):
            return {str(key): partial(inner[0], value) for key, value in written.items()}
    return _adapter(model, name).validate_python(written)


def _section(model: type[Section], written: Any) -> Section:
    if not isinstance(written, Mapping):
        raise UnsoundField(model.__name__)
    return partial(model, written)


@cache
def _adapter(model: type[Section], name: str) -> TypeAdapter[Any]:
    field = model.model_fields[name]
    kind: Any = field.annotation
    for rule in field.metadata:
        kind = Annotated[kind, rule]
    return TypeAdapter(kind, config=model.model_config)


def _ways(annotation: Any) -> list[Any]:
    """The kinds of value that a field takes: `A | None` takes two."""
    ways = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return [get_args(one)[0] if get_origin(one) is Annotated else one for one in ways]


def _is_section(kind: Any) -> TypeGuard[type[Section]]:
    return isinstance(kind, type) and issubclass(kind, Section)
