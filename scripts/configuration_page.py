"""Write docs/configuration.md from the models that validate the file.

    python scripts/configuration_page.py [--check]

With --check nothing is written; exits with 1 where the page is not what the models say.
"""

import sys
import typing
from collections.abc import Iterator
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from prescaler.config.models import FileSection
from prescaler.core.durations import format_duration

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"
HEAD = """\
# Configuration

`prescaler.yaml` is validated whole before anything starts; `prescaler check` prints every problem
with its place, `prescaler check --probe` also asks Prometheus. YAML 1.2: `mode: off` is a mode and
`19:30` a text. Durations are a whole number and one of s, m, h, d, w. An unknown key is an error, a
secret in the file too. While prescaler runs, the file is read again when it changes (it and all it
includes, and the files that hold keys) or on SIGHUP; a bad one is refused loudly and the good one
stays.

The smallest file that does something:

```yaml
prometheus: {main: {url: http://prometheus:9090}}
store: {url_env: PRESCALER_STORE_URL}
keys: [{name: keda, value_env: PRESCALER_KEY_KEDA}]
workloads:
- name: web
  scale_target: {name: web, namespace: prod, min_pods: 2, max_pods: 200}
  demand: {source: [main], query: 'sum(rate(http_requests_total{app="web"}[1m]))'}
  capacity: {per_pod: 100}
```

The environment: `PRESCALER_CONFIG` (the file; default `prescaler.yaml`), `PRESCALER_LOG_LEVEL`
(default `INFO`), `PRESCALER_LOG_FORMAT` (`auto`, `json`, `text`).

This page is written by `python scripts/configuration_page.py`; a test compares it with the models.
"""


def main() -> int:
    """Write the page, or compare it."""
    page = HEAD + "".join(sections())
    if "--check" in sys.argv:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page
        print("docs/configuration.md is", "up to date" if same else "old; run this without --check")
        return 0 if same else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


def sections() -> Iterator[str]:
    """One table a mapping of the file, in the order in which one meets them."""
    waiting: list[tuple[str, type[BaseModel]]] = [("the file", FileSection)]
    seen: set[type[BaseModel]] = set()
    while waiting:
        name, model = waiting.pop(0)
        if model in seen:
            continue
        seen.add(model)
        yield f"\n## {name}\n\n{(model.__doc__ or '').strip()}\n\n"
        yield "| key | default | meaning |\n|---|---|---|\n"
        for key, field in model.model_fields.items():
            yield f"| `{key}` | {default(field)} | {field.description or ''} |\n"
            inner = inner_model(field.annotation)
            if inner is not None:
                waiting.append((f"{'' if name == 'the file' else name + '.'}{key}", inner))


def default(field: FieldInfo) -> str:
    """How the default is written in the file."""
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return ""
    return f"`{written(value)}`" if not isinstance(value, BaseModel) else ""


def written(value: Any) -> str:
    """A value as YAML would have it."""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple | list):
        return "[" + ", ".join(written(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{}"
    return str(value) if not isinstance(value, ZoneInfo) else value.key


def inner_model(annotation: Any) -> type[BaseModel] | None:
    """The model inside `tuple[Section, ...] | None` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in typing.get_args(annotation):
        found = inner_model(part)
        if found is not None:
            return found
    return None


if __name__ == "__main__":
    raise SystemExit(main())
