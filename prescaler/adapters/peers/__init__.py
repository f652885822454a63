"""Well-known forecasters to compare with."""
