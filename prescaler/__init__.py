"""prescaler: how much demand to be ready for, early enough for pods to be ready."""

__version__ = "0.1.0"
