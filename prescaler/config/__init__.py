"""Settings and the workloads file, validated whole before anything starts."""

from prescaler.config.load import load_settings
from prescaler.config.problems import InvalidConfiguration, Problem
from prescaler.config.settings import Settings

__all__ = ["InvalidConfiguration", "Problem", "Settings", "load_settings"]
