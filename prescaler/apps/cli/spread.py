"""Options that several commands share, declared once as the fields of a dataclass."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any, Final, get_type_hints

_PARAMETER: Final = "options"


def spread(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command's parameter `options` to the command line field by field.

    The parameter is annotated with a dataclass whose fields carry typer's annotations; the command
    gets an instance of it.
    """
    own = inspect.signature(command, eval_str=True).parameters
    record = own[_PARAMETER].annotation
    hints = get_type_hints(record, include_extras=True)
    spread_out = [_keyword(one.name, hints[one.name], one.default) for one in fields(record)]
    parameters: list[inspect.Parameter] = []
    for one in own.values():
        mine = one.name == _PARAMETER
        parameters += spread_out if mine else [_keyword(one.name, one.annotation, one.default)]

    @wraps(command)
    def gathered(**given: Any) -> Any:
        options = record(**{one.name: given.pop(one.name) for one in spread_out})
        return command(**given, options=options)

    gathered.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    gathered.__annotations__ = {one.name: one.annotation for one in parameters}
    return gathered


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )
