"""The clockwork: when which workload is forecast, and by which replica."""
