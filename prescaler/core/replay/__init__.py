"""A past (or invented) period played again under another policy."""
