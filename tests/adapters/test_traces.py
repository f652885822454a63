"""Files with `timestamp,value`: good ones, and what people really hand in."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from prescaler.adapters.files.traces import read_trace
from prescaler.core.errors import AnswerNotUnderstood, NoSeries, SourceError

HEAD = "timestamp,value\n"
ROWS = "2026-01-01T00:00:00Z,1\n2026-01-01T00:05:00Z,\n2026-01-01T00:10:00Z,3.5\n"


def test_an_empty_value_is_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(HEAD + ROWS)

    found = read_trace(path)

    assert (found.start, found.step) == (datetime(2026, 1, 1, tzinfo=UTC), timedelta(minutes=5))
    np.testing.assert_array_equal(found.mean, [1.0, np.nan, 3.5])


def test_gzip_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress((HEAD + ROWS).encode()))

    assert len(read_trace(path)) == 3


def test_gzip_is_told_by_its_bytes_and_not_by_the_name(tmp_path: Path) -> None:
    packed, plain = tmp_path / "packed.csv", tmp_path / "plain.csv.gz"
    packed.write_bytes(gzip.compress((HEAD + ROWS).encode()))
    plain.write_text(HEAD + ROWS)

    assert len(read_trace(packed)) == len(read_trace(plain)) == 3


def test_rows_that_stand_thrice_are_one(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(HEAD + ROWS * 3)

    np.testing.assert_array_equal(read_trace(path).mean, [1.0, np.nan, 3.5])


def test_without_offset_it_is_utc_and_with_one_it_is_moved(tmp_path: Path) -> None:
    naive, offset = tmp_path / "naive.csv", tmp_path / "offset.csv"
    naive.write_text(HEAD + ROWS.replace("Z", ""))
    offset.write_text(HEAD + ROWS.replace("Z", "+02:00"))

    assert read_trace(naive).start == datetime(2026, 1, 1, tzinfo=UTC)
    assert read_trace(offset).start == datetime(2025, 12, 31, 22, tzinfo=UTC)


def test_rows_may_come_in_any_order_and_some_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"2026-01-01T00:{m:02}:00Z,{m}" for m in (20, 0, 5, 15)]
    path.write_text(HEAD + "\n".join(rows))

    np.testing.assert_array_equal(read_trace(path).mean, [0, 5, np.nan, 15, 20])


def test_further_columns_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("timestamp,value,note\n2026-01-01T00:00:00Z,1,x\n2026-01-01T01:00:00Z,2,y\n")

    assert len(read_trace(path)) == 2


BAD = {
    "no such columns": ("time,load\n1,2\n", AnswerNotUnderstood, "columns are time, load"),
    "empty": ("", AnswerNotUnderstood, "no CSV"),
    "head only": (HEAD, NoSeries, "0 rows"),
    "one row": (HEAD + "2026-01-01T00:00:00Z,1\n", NoSeries, "1 rows"),
    "words": (
        HEAD + "2026-01-01T00:00:00Z,many\n2026-01-01T00:05:00Z,2\n",
        AnswerNotUnderstood, "many"),
    "no stamps": (HEAD + "yesterday,1\ntoday,2\n", AnswerNotUnderstood, "yesterday"),
    "uneven": (
        HEAD + "2026-01-01T00:00:00Z,1\n2026-01-01T00:07:00Z,2\n",
        AnswerNotUnderstood, "divide a day"),
    "one stamp twice": (
        HEAD + ROWS + "2026-01-01T00:00:00Z,9\n", AnswerNotUnderstood, "twice"),
    "off the grid": (HEAD + ROWS + "2026-01-01T00:33:00Z,9\n",
        AnswerNotUnderstood, "off the grid"),
    "below zero": (HEAD + ROWS + "2026-01-01T00:20:00Z,-3\n",
        AnswerNotUnderstood, "-3 at 2026-01-01T00:20:00Z is no demand"),
    "beyond float32": (HEAD + ROWS + "2026-01-01T00:20:00Z,1e200\n",
        AnswerNotUnderstood, "must lie between"),
    "no stamp": (HEAD + ROWS + ",9\n", AnswerNotUnderstood, "line 5: a value without a timestamp"),
    "epoch seconds": (HEAD + "1772323200,1\n1772323500,2\n", AnswerNotUnderstood, "not ISO8601"),
    "one instant": (HEAD + "2026-01-01T00:00:00Z,1\n" * 2, NoSeries, "one instant only"),
    "a stray stamp of 1970": (
        HEAD + ROWS.replace(":05:", ":00:").replace("00:00Z,\n", "00:01Z,\n")
        + "2026-01-01T00:00:02Z,1\n1970-01-01T00:00:00Z,1\n",
        AnswerNotUnderstood, "points of 1 s from 1970-01-01T00:00:00 to 2026"),
    "the last day there is": (HEAD + ROWS + "9999-12-31T23:55:00Z,9\n",
        AnswerNotUnderstood, "Is one of those stamps a mistake"),
    "an HTML page": ("<html><body>, no</body></html>", AnswerNotUnderstood, "columns are"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "error", "said"), BAD.values(), ids=BAD)
def test_a_bad_file_is_a_named_error(
    tmp_path: Path, text: str, error: type[SourceError], said: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)

    with pytest.raises(error, match=said):
        read_trace(path)


@pytest.mark.parametrize("content", [b"\x00\xff" * 100, b"\x1f\x8bgarbage"])
def test_a_file_that_is_no_text_is_a_named_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(content)

    with pytest.raises(SourceError):
        read_trace(path)


def test_a_file_that_is_cut_off_is_a_named_error(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress((HEAD + ROWS * 1000).encode())[:-20])

    with pytest.raises(SourceError):
        read_trace(path)


def test_a_file_that_is_not_there_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(NoSeries, match="cannot be read"):
        read_trace(tmp_path / "none.csv")
