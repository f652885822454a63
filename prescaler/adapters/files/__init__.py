"""Traces and tables in files."""
