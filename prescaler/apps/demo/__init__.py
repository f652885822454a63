"""The demonstration: a real Prometheus, filled and fed."""
