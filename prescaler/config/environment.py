"""What the environment says: where the file is, and how to log."""

from enum import StrEnum
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class LogFormat(StrEnum):
    """How log lines look."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class Environment(BaseSettings):
    """Variables that begin with PRESCALER_."""

    model_config = SettingsConfigDict(env_prefix="PRESCALER_", extra="ignore")

    config: Path = Path("prescaler.yaml")
    log_level: str = "INFO"
    log_format: LogFormat = LogFormat.AUTO
