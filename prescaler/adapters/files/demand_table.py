"""Demand in files: CSV, Parquet, and VictoriaMetrics' export; read in batches, written whole."""

import csv
import gzip
import json
import lzma
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.demand_rows import BadRow
from prescaler.core.errors import FileRefused, PrescalerError, ServerAssetMissing

_BATCH: Final = 100_000
_LONGEST_FIELD: Final = 200
_DAMAGE: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, UnicodeDecodeError, csv.Error)


class Stamps(StrEnum):
    """How instants are written."""

    ISO = "iso"
    SECONDS = "s"
    MILLISECONDS = "ms"


@dataclass(frozen=True)
class FileForm:
    """How a file is to be read. zone: of stamps without an offset; None refuses them.

    scale: what a value is multiplied with to be in load units.
    """

    stamp: str = "timestamp"
    value: str = "value"
    stamps: Stamps = Stamps.ISO
    zone: ZoneInfo | None = None
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class Rows:
    """A batch: line numbers, epoch seconds, values; and the rows that could not be read."""

    lines: IntArray
    stamps: IntArray
    values: FloatArray
    bad: tuple[BadRow, ...] = ()


def read_rows(path: Path, form: FileForm) -> Iterator[Rows]:
    """The rows of a file, in batches of 100,000, whatever its length.

    Raises:
        FileRefused: it is not there, is cut off, has other columns, or is of no known kind.
    """
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            yield from _parquet(path, form)
        elif name.endswith((".jsonl", ".jsonl.gz", ".ndjson")):
            yield from _victoria(path, form)
        elif name.endswith((".csv", ".csv.gz")):
            yield from _csv(path, form)
        else:
            raise FileRefused(f"{path}: no .csv, .csv.gz, .parquet or .jsonl")
    except PrescalerError:
        raise
    except _DAMAGE as error:
        raise FileRefused(f"{path}: {_why(error)}") from error


def _why(error: BaseException) -> str:
    if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
        return f"the file is damaged or cut off ({error})"
    if isinstance(error, UnicodeDecodeError):
        return f"no UTF-8 text at byte {error.start}"
    return str(error)


@contextmanager
def _text(path: Path) -> Iterator[IO[str]]:
    if path.name.lower().endswith(".gz"):
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as opened:
            yield opened
    else:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            yield opened


def _csv(path: Path, form: FileForm) -> Iterator[Rows]:
    with _text(path) as text:
        reader = csv.reader(text)
        header = next(reader, None)
        if header is None:
            raise FileRefused(f"{path} is empty")
        columns = _columns(path, header, form)
        lines: list[int] = []
        fields: list[tuple[str, str]] = []
        bad: list[BadRow] = []
        for row in reader:
            if len(row) != len(header):
                if row:
                    text_ = f"{len(row)} fields, the first line has {len(header)}"
                    bad.append(BadRow(reader.line_num, text_))
                continue
            lines.append(reader.line_num)
            fields.append((row[columns[0]], row[columns[1]]))
            if len(lines) == _BATCH:
                yield _parsed(lines, fields, form, bad)
                lines, fields, bad = [], [], []
        yield _parsed(lines, fields, form, bad)


def _columns(path: Path, header: Sequence[str], form: FileForm) -> tuple[int, int]:
    names = [name.strip() for name in header]
    value = form.value
    if value not in names and value == "value" and "mean" in names:
        value = "mean"  # as our own export names it
    for wanted in (form.stamp, value):
        if names.count(wanted) != 1:
            raise FileRefused(
                f"{path}: no column {wanted!r} (or several) among {', '.join(names)[:200]}; "
                "name them with --stamp-column and --value-column"
            )
    return names.index(form.stamp), names.index(value)


def _parsed(
    lines: list[int], fields: list[tuple[str, str]], form: FileForm, bad: list[BadRow]
) -> Rows:
    """A batch of text as numbers; what cannot be read is said with its line."""
    stamps = _stamps(pd.Series([f[0] for f in fields], dtype="str"), form)
    texts = pd.Series([f[1].strip() for f in fields], dtype="str")
    values = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    missing = texts.isin(["", "NaN", "nan", "null"]).to_numpy()
    wrong = ~np.isfinite(values) & ~missing
    unread = stamps == _NO_STAMP
    found = [
        BadRow(lines[i], _complaint(fields[i], form, stamp=bool(unread[i])))
        for i in np.flatnonzero(wrong | unread).tolist()
    ]
    good = ~(wrong | unread)
    return Rows(
        np.array(lines, dtype=np.int64)[good],
        stamps[good],
        values[good] * form.scale,
        tuple(bad + found),
    )


_NO_STAMP: Final = np.iinfo(np.int64).min


def _complaint(fields: tuple[str, str], form: FileForm, *, stamp: bool) -> str:
    if not stamp:
        return f"{fields[1][:_LONGEST_FIELD]!r} is no number"
    text = f"{fields[0][:_LONGEST_FIELD]!r} is no instant"
    if form.stamps is Stamps.ISO and form.zone is None:
        text += " with an offset; say --timezone for local time, --stamps s or ms for numbers"
    return text


def _stamps(texts: "pd.Series[str]", form: FileForm) -> IntArray:
    """Epoch seconds; the least integer where a text is no stamp."""
    if not len(texts):
        return np.empty(0, dtype=np.int64)
    if form.stamps is not Stamps.ISO:
        numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
        return _whole_seconds(numbers, form)
    trimmed = texts.str.strip()
    offset = trimmed.str.contains(r"(?:Z|z|[+-]\d{2}:?\d{2})$", regex=True).to_numpy()
    found = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[us, UTC]")
    if offset.any():
        known = pd.to_datetime(trimmed[offset], errors="coerce", utc=True, format="ISO8601")
        found[offset] = known.dt.as_unit("us")
    if form.zone is not None and (~offset).any():
        found[~offset] = _local(trimmed[~offset], form.zone)
    seconds = found.dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    return np.where(found.isna().to_numpy(), _NO_STAMP, seconds)


def _local(texts: "pd.Series[str]", zone: ZoneInfo) -> Any:
    """Local times as instants: a repeated hour is its first passing, one left out is none."""
    local = pd.to_datetime(texts, errors="coerce", format="ISO8601").dt.as_unit("us")
    first = np.ones(len(local), dtype=bool)
    return local.dt.tz_localize(zone, ambiguous=first, nonexistent="NaT").dt.tz_convert("UTC")


def _whole_seconds(numbers: FloatArray, form: FileForm) -> IntArray:
    unit = 1000.0 if form.stamps is Stamps.MILLISECONDS else 1.0
    seconds = np.floor(numbers / unit)
    known = np.isfinite(seconds) & (np.abs(seconds) < 1e15)  # noqa: PLR2004 - 30 million years
    return np.where(known, np.where(known, seconds, 0.0).astype(np.int64), _NO_STAMP)


def _parquet(path: Path, form: FileForm) -> Iterator[Rows]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ServerAssetMissing("Parquet needs `pip install prescaler[parquet]`") from error
    try:
        opened = parquet.ParquetFile(path)
        names = opened.schema_arrow.names
        at = _columns(path, names, form)
        first = 1
        for batch in opened.iter_batches(_BATCH, columns=[names[at[0]], names[at[1]]]):
            frame = batch.to_pandas()
            yield _frame(frame, names[at[0]], names[at[1]], form, first)
            first += len(frame)
    except (pa.ArrowException, OSError) as error:
        raise FileRefused(f"{path}: no readable Parquet file ({str(error)[:200]})") from error


def _frame(frame: pd.DataFrame, stamp: str, value: str, form: FileForm, first: int) -> Rows:
    """A batch of a Parquet file; rows count from 1."""
    lines = list(range(first, first + len(frame)))
    column = frame[stamp]
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        texts = column.dt.tz_convert("UTC").dt.strftime("%Y-%m-%dT%H:%M:%SZ").fillna("")
    elif pd.api.types.is_datetime64_dtype(column.dtype):
        texts = column.dt.strftime("%Y-%m-%dT%H:%M:%S").fillna("")
    else:
        texts = pd.Series(["" if pd.isna(found) else str(found) for found in column.tolist()])
    values = ["" if pd.isna(found) else str(found) for found in frame[value].tolist()]
    return _parsed(lines, list(zip(texts.tolist(), values, strict=True)), form, [])


def _victoria(path: Path, form: FileForm) -> Iterator[Rows]:
    """Lines of `/api/v1/export`: one series each, or a part of one; all must be the same series."""
    first: dict[str, Any] | None = None
    with _text(path) as text:
        for number, line in enumerate(text, 1):
            if not line.strip():
                continue
            found = _exported(path, number, line)
            first = first or found["metric"]
            if found["metric"] != first:
                raise FileRefused(
                    f"{path}, line {number}: a second series {found['metric']}, the first is "
                    f"{first}; export a recorded sum, or one series"
                )
            stamps = np.array(found["timestamps"], dtype=np.int64) // 1000
            values = np.array(
                [np.nan if v is None else v for v in found["values"]], dtype=np.float64
            )
            if len(stamps) != len(values):
                raise FileRefused(f"{path}, line {number}: as many timestamps as values are needed")
            lines = np.full(len(stamps), number, dtype=np.int64)
            yield Rows(lines, stamps, values * form.scale)


def _exported(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
        dict(found["metric"])
        return {name: found[name] for name in ("metric", "values", "timestamps")}
    except (ValueError, KeyError, TypeError) as error:
        raise FileRefused(
            f"{path}, line {number}: no line of VictoriaMetrics' /api/v1/export ({error!r:.100})"
        ) from error
