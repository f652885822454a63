"""Pure values and arrays: no clock, no input or output, no logging, no settings."""
