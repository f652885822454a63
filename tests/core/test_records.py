"""What may be stored as text."""

import pytest

from prescaler.core.records import storable_text


@pytest.mark.parametrize(
    ("text", "storable"),
    [
        ("", True),
        ("match night \N{STADIUM}\x07", True),
        ("a\x00b", False),
        ("\ud800", False),
        ("\udfff.", False),
    ],
)
def test_some_text_no_database_holds(text: str, storable: bool) -> None:
    assert storable_text(text) is storable
