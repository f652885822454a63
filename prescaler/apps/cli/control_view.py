"""What is set at run time, as a terminal shows it."""

from typing import Any


def control_line(found: dict[str, Any]) -> str:
    """What people and guards have set (as in the API), in words; "" = as in the file."""
    parts = []
    if mode := found["mode"]:
        parts.append(f"mode {mode['mode']}{_by(mode)}")
    if freeze := found["freeze"]:
        parts.append(f"frozen at {freeze['value']:,.10g}{_by(freeze)}")
    if override := found["override"]:
        load, pods = override["load"], override["pods"]
        value = f"{pods} pods" if load is None else f"{load:,.10g}"
        parts.append(f"overridden with {value}{_by(override)}")
    if guard := found["guard"]:
        text = f"guard {guard['name']} tripped {guard['since']}: {guard['detail']}"
        parts.append(text)
    return "; ".join(parts)


def _by(entry: dict[str, Any]) -> str:
    until = f"until {entry['until']}" if entry["until"] else "until it is cleared"
    return (
        f" by {entry['author']} since {entry['since']} {until} ({entry['reason'] or 'no reason'})"
    )
