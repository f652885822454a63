"""Writing demand to CSV and Parquet: all of the file or none of it."""

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from prescaler.adapters.files.whole import whole
from prescaler.core.arrays import IntArray
from prescaler.core.errors import BadParameter, ServerAssetMissing
from prescaler.core.series import Series

_HEADER: Final = "timestamp,mean,peak,seconds\n"


def write_demand(path: Path, series: Iterable[Series]) -> int:
    """Write observed points, ascending by series: instant (UTC), mean, peak, seconds covered.

    Gives the number of rows. The file appears when it is complete.

    Raises:
        BadParameter: no known kind of file, or it cannot be written.
    """
    name = path.name.lower()
    if not name.endswith((".csv", ".csv.gz", ".parquet")):
        raise BadParameter(f"--out {path}: write .csv, .csv.gz or .parquet")
    try:
        with whole(path) as part:
            if name.endswith(".parquet"):
                return _parquet(part, series)
            return _csv(part, series, packed=name.endswith(".gz"))
    except OSError as error:
        raise BadParameter(f"--out {path}: {error}") from error


def _csv(path: Path, series: Iterable[Series], *, packed: bool) -> int:
    rows = 0
    with path.open("wb") as raw:
        # No name and no time in the gzip header: the same history gives the same bytes.
        out: Any = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if packed else raw
        out.write(_HEADER.encode())
        for one in series:
            known = one.observed
            stamps, mean, peak = _texts(one.stamps[known]), one.mean[known], one.peak[known]
            seconds = int(one.step.total_seconds())
            cells = zip(stamps, _numbers(mean), _numbers(peak), strict=True)
            out.write("".join(f"{t},{m},{p},{seconds}\n" for t, m, p in cells).encode())
            rows += len(stamps)
        if packed:
            out.close()
    return rows


def _texts(stamps: IntArray) -> list[str]:
    found = np.datetime_as_string(stamps.astype("datetime64[s]"), unit="s", timezone="UTC")
    return [str(text) for text in found.tolist()]


def _numbers(values: Any) -> list[str]:
    """The shortest text that gives the same float32 back."""
    return [str(text) for text in values.astype(np.float32).astype("U").tolist()]


def _parquet(path: Path, series: Iterable[Series]) -> int:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ServerAssetMissing("Parquet needs `pip install prescaler[parquet]`") from error
    schema = pa.schema(
        [
            pa.field("timestamp", pa.timestamp("s", tz="UTC")),
            pa.field("mean", pa.float32()),
            pa.field("peak", pa.float32()),
            pa.field("seconds", pa.int32()),
        ],
        metadata={
            "unit": "load units of the workload",
            "grid": "a row covers [timestamp, + seconds)",
        },
    )
    rows = 0
    with parquet.ParquetWriter(path, schema) as out:
        for one in series:
            known = one.observed
            count = int(known.sum())
            seconds = np.full(count, int(one.step.total_seconds()), dtype=np.int32)
            columns = [
                pa.array(one.stamps[known], pa.timestamp("s", tz="UTC")),
                pa.array(one.mean[known].astype(np.float32)),
                pa.array(one.peak[known].astype(np.float32)),
                pa.array(seconds),
            ]
            out.write_table(pa.Table.from_arrays(columns, schema=schema))
            rows += count
    return rows
