from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from prescaler.config import InvalidConfiguration, Settings, load_settings

HEAD = """\
prometheus: {main: {url: http://prom:9090}}
store: {url_env: STORE_URL}
keys: [{name: keda, value_env: KEDA_KEY}]
"""
WEB = """\
- name: web
  scale_target: {name: web}
  demand: {source: [main], query: sum(x)}
  capacity: {per_pod: 100}
"""

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a configuration from its text; more files by keyword (`a_yaml=...`)."""
    monkeypatch.setenv("STORE_URL", "sqlite:////tmp/x.sqlite")
    monkeypatch.setenv("KEDA_KEY", "k" * 20)

    def loader(text: str, **files: str) -> Settings:
        for name, content in files.items():
            (tmp_path / name.replace("_yaml", ".yaml")).write_text(dedent(content))
        path = tmp_path / "prescaler.yaml"
        path.write_text(dedent(text))
        return load_settings(path)

    return loader


@pytest.fixture
def problems(load: Load, tmp_path: Path) -> Callable[..., list[str]]:
    """The problems of a configuration, as a person reads them, without the folder."""

    def found(text: str, **files: str) -> list[str]:
        with pytest.raises(InvalidConfiguration) as caught:
            load(text, **files)
        return [str(p).replace(f"{tmp_path}/", "") for p in caught.value.problems]

    return found
