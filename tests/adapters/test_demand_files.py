"""Demand from files: what is good comes in whole, what is bad is named with its line."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.adapters.files.demand_export import write_demand
from prescaler.adapters.files.demand_table import FileForm, Stamps, read_rows
from prescaler.adapters.memory import MemoryWorkloads
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.core.demand_rows import BadRow, DemandRows
from prescaler.core.errors import BadParameter, FileRefused
from prescaler.core.merging import Keep, Merged
from prescaler.core.series import Series
from prescaler.core.spans import Span
from prescaler.usecases.move_history import (
    import_rows,
    store_series,
    stored_points,
    stored_span,
)
from tests.support.builders import DAY, MINUTE, MONDAY, PARIS, STEP, daily_demand, series, workload

NOW = MONDAY + 10 * DAY
ISO = FileForm()


def load(
    path: Path, form: FileForm = ISO, resolution: timedelta = MINUTE
) -> tuple[DemandRows, list[BadRow]]:
    rows, bad = DemandRows(resolution, STEP, NOW), []
    for batch in read_rows(path, form):
        bad += [*batch.bad, *rows.add(batch.lines, batch.stamps, batch.values)]
    return rows, sorted(bad, key=lambda row: row.line)


def taken(path: Path, form: FileForm = ISO, *, skip_bad: bool = False) -> dict[str, float]:
    rows, bad = load(path, form)
    return {
        str(np.datetime64(stamp, "s")): value
        for one in import_rows(rows, bad, skip_bad=skip_bad)
        for stamp, value in zip(one.stamps.tolist(), one.mean.tolist(), strict=True)
        if np.isfinite(value)
    }


def text(folder: Path, body: str | bytes, name: str = "x.csv") -> Path:
    path = folder / name
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return path


def test_rows_are_read_with_their_offsets(tmp_path: Path) -> None:
    path = text(
        tmp_path,
        "timestamp,value\n2026-11-23T00:00:00Z,1\n2026-11-23T01:01:00+01:00,2.5\n"
        "2026-11-23 00:02:00.900Z,3\n2026-11-23T00:03:00Z,\n",
    )

    assert taken(path) == {
        "2026-11-23T00:00:00": 1.0,
        "2026-11-23T00:01:00": 2.5,
        "2026-11-23T00:02:00": 3.0,
    }


def test_local_time_needs_its_zone_and_knows_clock_changes(tmp_path: Path) -> None:
    # Clocks in Paris went back at 03:00 on 25 October 2026: 02:30 was there twice.
    path = text(
        tmp_path, "timestamp,value\n2026-10-25 01:30,1\n2026-10-25 02:30,2\n2026-10-25 03:30,3\n"
    )

    with pytest.raises(FileRefused, match="line 2: '2026-10-25 01:30' is no instant with an off"):
        taken(path)
    assert taken(path, FileForm(zone=PARIS)) == {
        "2026-10-24T23:30:00": 1.0,
        "2026-10-25T00:30:00": 2.0,
        "2026-10-25T02:30:00": 3.0,
    }


def test_an_hour_that_was_left_out_is_no_instant(tmp_path: Path) -> None:
    path = text(tmp_path, "timestamp,value\n2026-03-29 02:30,1\n")

    with pytest.raises(FileRefused, match="line 2"):
        taken(path, FileForm(zone=PARIS))


@pytest.mark.parametrize(("stamps", "unit"), [(Stamps.SECONDS, 1), (Stamps.MILLISECONDS, 1000)])
def test_numbers_are_stamps_when_told(tmp_path: Path, stamps: Stamps, unit: int) -> None:
    at = int(MONDAY.timestamp())
    path = text(tmp_path, f"ts,rpm\n{at * unit},120\n{(at + 60) * unit},60\n")

    form = FileForm("ts", "rpm", stamps, scale=1 / 60)
    assert list(taken(path, form).values()) == pytest.approx([2.0, 1.0])


def test_milliseconds_taken_for_seconds_are_noticed(tmp_path: Path) -> None:
    path = text(tmp_path, f"timestamp,value\n{int(MONDAY.timestamp()) * 1000},1\n")

    with pytest.raises(
        FileRefused, match="line 2: the stamp means second 1795392000000, in the fut"
    ):
        taken(path, FileForm(stamps=Stamps.SECONDS))


def test_finer_rows_become_mean_and_maximum(tmp_path: Path) -> None:
    lines = "".join(f"2026-11-23T00:00:{s:02d}Z,{s}\n" for s in range(0, 60, 10))
    rows, _ = load(text(tmp_path, "timestamp,value\n" + lines))

    (one,) = rows.series()

    assert (one.step, one.mean[0], one.peak[0]) == (MINUTE, 25.0, 50.0)


def test_coarser_rows_keep_their_spacing(tmp_path: Path) -> None:
    lines = "".join(f"2026-11-23T0{h}:{m:02d}:00Z,{h}\n" for h in range(3) for m in range(2, 60, 5))
    rows, _ = load(text(tmp_path, "timestamp,value\n" + lines))

    (one,) = rows.series()

    assert one.step == STEP
    assert int(one.observed.sum()) == 36


def test_rows_further_apart_than_the_step_are_refused(tmp_path: Path) -> None:
    lines = "".join(f"2026-11-23T{h:02d}:00:00Z,1\n" for h in range(24))

    with pytest.raises(FileRefused, match=r"1h apart.*nothing is invented"):
        taken(text(tmp_path, "timestamp,value\n" + lines))


def test_rows_may_come_in_any_order(tmp_path: Path) -> None:
    lines = [f"2026-11-{20 + n % 3}T00:{n // 3:02d}:00Z,{n}" for n in range(90)]
    one = taken(text(tmp_path, "\n".join(["timestamp,value", *lines]), "a.csv"))
    other = taken(text(tmp_path, "\n".join(["timestamp,value", *lines[::-1]]), "b.csv"))

    assert one == other
    assert len(one) == 90


GOOD = "2026-11-23T00:00:00Z,1\n"
BAD = {
    "no number": (GOOD + "2026-11-23T00:01:00Z,many\n", "line 3: 'many' is no number"),
    "no instant": (GOOD + "yesterday,1\n", "line 3: 'yesterday' is no instant"),
    "no such day": (GOOD + "2026-02-30T00:00:00Z,1\n", "line 3"),
    "negative": (GOOD + "2026-11-23T00:01:00Z,-4\n", "line 3: -4 is negative"),
    "infinite": (GOOD + "2026-11-23T00:01:00Z,inf\n", "line 3: 'inf' is no number"),
    "too large": (GOOD + "2026-11-23T00:01:00Z,1e31\n", r"line 3: 1e\+31 is beyond"),
    "1970": (GOOD + "1970-01-01T00:01:00Z,4\n", "line 3: the stamp means 1970.*--stamps"),
    "year 3000": (GOOD + "3000-01-01T00:00:00Z,4\n", "line 3: .*3000-01-01.*future"),
    "a stamp twice": (GOOD + GOOD, "line 3: a second value for 2026-11-23T00:00:00Z"),
    "three fields": (GOOD + "2026-11-23T00:01:00Z,1,7\n", "line 3: 3 fields"),
    "one field": (GOOD + "2026-11-23T00:01:00Z\n", "line 3: 1 fields"),
    "hostile text": (GOOD + "=cmd|' /C calc'!A0,<script>\n", "line 3: "),
}


@pytest.mark.parametrize(("body", "says"), BAD.values(), ids=BAD)
def test_a_bad_row_is_named_with_its_line_and_nothing_is_taken(
    tmp_path: Path, body: str, says: str
) -> None:
    path = text(tmp_path, "timestamp,value\n" + body)

    with pytest.raises(FileRefused, match=says) as caught:
        taken(path)
    assert "Nothing was stored" in str(caught.value)
    assert list(taken(path, skip_bad=True).values()) == [1.0]


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    body = 'timestamp,value\n"2026-11-23T00:00:00Z",1\n\n2026-11-23T00:01:00Z,x\n'

    with pytest.raises(FileRefused, match="line 4: 'x'"):
        taken(text(tmp_path, body))


def test_lines_are_right_behind_the_first_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prescaler.adapters.files.demand_table._BATCH", 10)
    lines = [f"2026-11-23T00:{n:02d}:00Z,{n if n != 37 else 'x'}" for n in range(60)]

    with pytest.raises(FileRefused, match="line 39: 'x'"):
        taken(text(tmp_path, "\n".join(["timestamp,value", *lines])))


FILES = {
    "empty": ("x.csv", b"", "is empty"),
    "only a header": ("x.csv", b"timestamp,value\n", "none holds a value"),
    "another header": ("x.csv", b"when,what\n1,2\n", "no column 'timestamp'.*when, what"),
    "a header twice": ("x.csv", b"timestamp,value,value\n1,2,3\n", "several"),
    "no text": ("x.csv", b"timestamp,value\n\xff\xfe,1\n", "no UTF-8"),
    "a cut gzip": ("x.csv.gz", gzip.compress(b"timestamp,value\n" * 999)[:-20], "cut off"),
    "no gzip": ("x.csv.gz", b"timestamp,value\n", "damaged"),
    "no Parquet": ("x.parquet", b"PAR1 or not", "no readable Parquet"),
    "another kind": ("x.xlsx", b"PK", "no .csv"),
    "no export": ("x.jsonl", b"{}\n", "line 1: no line of VictoriaMetrics"),
    "no JSON": ("x.jsonl", b"hello\n", "line 1"),
}


@pytest.mark.parametrize(("name", "body", "says"), FILES.values(), ids=FILES)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, name: str, body: bytes, says: str) -> None:
    with pytest.raises(FileRefused, match=says):
        taken(text(tmp_path, body, name))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match=r"no\.csv"):
        taken(tmp_path / "no.csv")


def exported(metric: str, stamps: list[int], values: list[float | None]) -> str:
    return json.dumps({"metric": {"__name__": metric}, "values": values, "timestamps": stamps})


def test_victoriametrics_exports_are_read(tmp_path: Path) -> None:
    at = int(MONDAY.timestamp()) * 1000
    body = "\n".join(
        [exported("x", [at, at + 60_000], [1.5, None]), exported("x", [at + 120_000], [3])]
    )

    assert taken(text(tmp_path, body, "x.jsonl")) == {
        "2026-11-23T00:00:00": 1.5,
        "2026-11-23T00:02:00": 3.0,
    }


def test_two_series_of_an_export_are_not_mixed(tmp_path: Path) -> None:
    at = int(MONDAY.timestamp()) * 1000
    body = "\n".join([exported("x", [at], [1]), exported("y", [at], [1])])

    with pytest.raises(FileRefused, match="line 2: a second series"):
        taken(text(tmp_path, body, "x.jsonl"))
    with pytest.raises(FileRefused, match="as many timestamps"):
        taken(text(tmp_path, exported("x", [at], [1, 2]), "x.jsonl"))


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Asia/Kolkata"), None])
def test_parquet_knows_its_zone_or_is_told(tmp_path: Path, zone: ZoneInfo | None) -> None:
    local = pd.date_range("2026-11-23 05:30", periods=3, freq="min", tz="Asia/Kolkata")
    stamps = local.tz_convert(zone) if zone is not None else local.tz_localize(None)
    frame = pd.DataFrame({"timestamp": stamps, "value": [1.0, None, 3.0]})
    frame.to_parquet(tmp_path / "x.parquet")

    form = FileForm(zone=ZoneInfo("Asia/Kolkata") if zone is None else None)

    assert taken(tmp_path / "x.parquet", form) == {
        "2026-11-23T00:00:00": 1.0,
        "2026-11-23T00:02:00": 3.0,
    }


class Store:
    def __init__(self) -> None:
        self.demand = MemoryDemand()
        self.version = MemoryWorkloads().ensure(workload(), MONDAY)


@given(
    st.lists(
        st.one_of(st.just(np.nan), st.floats(0, 2.0**40, width=32)), min_size=1, max_size=300
    ).filter(lambda v: np.isfinite(v).any()),
    st.sampled_from([".csv", ".csv.gz", ".parquet"]),
)
def test_what_is_exported_comes_back_to_the_last_bit(
    tmp_path: Path, values: list[float], kind: str
) -> None:
    one, other = Store(), Store()
    one.demand.append(one.version, series(np.array(values), MONDAY + 7 * MINUTE, MINUTE))
    span = stored_span(one.version, one.demand)
    assert span is not None
    path = tmp_path / f"x{kind}"
    rows = write_demand(path, stored_points(one.version, one.demand, span))

    loaded, bad = load(path)
    found = import_rows(loaded, bad, skip_bad=False)
    merged = store_series(other.version, found, other.demand, Keep.STORED)

    assert rows == merged.added == int(np.isfinite(values).sum())
    if found[0].step == MINUTE:
        back = other.demand.read(other.version, MONDAY, MONDAY + DAY, MINUTE)
        there = one.demand.read(one.version, MONDAY, MONDAY + DAY, MINUTE)
        np.testing.assert_array_equal(back.mean.astype("f4"), there.mean.astype("f4"))


def test_an_export_is_whole_or_not_there(tmp_path: Path) -> None:
    def broken() -> object:
        yield series(np.ones(3), MONDAY, MINUTE)
        raise OSError(28, "No space left on device")

    with pytest.raises(BadParameter, match="No space left"):
        write_demand(tmp_path / "x.csv", broken())  # type: ignore[arg-type]
    with pytest.raises(BadParameter, match="csv"):
        write_demand(tmp_path / "x.doc", [])
    assert list(tmp_path.iterdir()) == []


def test_mixed_resolutions_are_exported_without_saying_anything_twice(tmp_path: Path) -> None:
    one = Store()
    one.demand.append(one.version, series(np.ones(10), MONDAY, MINUTE))
    one.demand.append(one.version, series(np.full(6, 5.0), MONDAY, STEP))
    span = Span(MONDAY, MONDAY + DAY)

    assert write_demand(tmp_path / "x.csv", stored_points(one.version, one.demand, span)) == 14
    assert write_demand(tmp_path / "y.csv", stored_points(one.version, one.demand, span, STEP)) == 6
    lines = (tmp_path / "x.csv").read_text().splitlines()
    assert lines[:2] == ["timestamp,mean,peak,seconds", "2026-11-23T00:00:00Z,1.0,1.0,60"]
    assert lines[11] == "2026-11-23T00:10:00Z,5.0,5.0,300"


def days(values: np.ndarray, start: datetime = MONDAY) -> list[Series]:
    return [
        series(values[at : at + 1440], start + at * MINUTE, MINUTE)
        for at in range(0, len(values), 1440)
    ]


def test_overlapping_imports_keep_what_is_stored(tmp_path: Path) -> None:
    store, values = Store(), daily_demand(2, step=MINUTE)
    store_series(store.version, days(values), store.demand, Keep.STORED)

    again = store_series(store.version, days(values * 1.1), store.demand, Keep.STORED)
    assert again == Merged(0, 0, 2880)
    kept = store.demand.read(store.version, MONDAY, MONDAY + 2 * DAY, MINUTE)
    np.testing.assert_array_equal(kept.mean, values)

    store_series(store.version, days(values * 1.1), store.demand, Keep.NEWEST)
    now = store.demand.read(store.version, MONDAY, MONDAY + 2 * DAY, MINUTE)
    np.testing.assert_array_equal(now.mean, values * 1.1)
    assert list(store.demand.asked(store.version)) == []


def test_another_unit_is_noticed_where_both_know_the_same_minutes() -> None:
    store, values = Store(), daily_demand(1, step=MINUTE)
    store_series(store.version, days(values), store.demand, Keep.STORED)

    with pytest.raises(FileRefused, match=r"60 times.*--scale 0\.0167"):
        store_series(store.version, days(values * 60), store.demand, Keep.STORED)
    few = [series(values[:10] * 60, MONDAY, MINUTE)]
    assert store_series(store.version, few, store.demand, Keep.STORED).differing == 10
