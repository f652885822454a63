"""The last good state on local disk."""
