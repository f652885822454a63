import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from prescaler.adapters.database import tables as t
from prescaler.adapters.database.engine import Database
from prescaler.adapters.database.uplifts import DatabaseUplifts
from prescaler.adapters.database.workloads import DatabaseWorkloads
from prescaler.adapters.packed_uplift import pack_uplift, unpack_uplift
from prescaler.core.errors import StoreDamaged
from prescaler.core.uplift import UpliftModel
from tests.support.builders import MONDAY, workload
from tests.support.crowds import PARIS, STEP, Night, crowd, history
from tests.support.migrated import migrated_file

NIGHTS = [Night(day, 5.0) for day in (8, 10, 15, 17)]
PACKED = pack_uplift(
    UpliftModel.empty(STEP, PARIS).learned(history(28, NIGHTS), [crowd(n) for n in NIGHTS])
)


@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_an_altered_archive_is_refused_or_harmless(place: int, change: int) -> None:
    altered = bytearray(PACKED)
    altered[place] ^= change

    with suppress(StoreDamaged):
        assert isinstance(unpack_uplift(bytes(altered)), UpliftModel)


@pytest.mark.parametrize("length", [0, 1, len(PACKED) // 2, len(PACKED) - 1])
def test_one_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(StoreDamaged):
        unpack_uplift(PACKED[:length])


def test_one_with_rows_missing_or_of_another_form_is_refused() -> None:
    with np.load(BytesIO(PACKED)) as found:
        arrays = {name: found[name] for name in found.files}
    short = arrays | {"ratio": arrays["ratio"][:-1]}
    other = arrays["meta"].tobytes().replace(b'"form": 1', b'"form": 9')
    newer = arrays | {"meta": np.frombuffer(other, dtype=np.uint8)}

    for wrong, says in ((short, "fewer rows"), (newer, "form 9")):
        stream = BytesIO()
        np.savez_compressed(stream, allow_pickle=False, **wrong)
        with pytest.raises(StoreDamaged, match=says):
            unpack_uplift(stream.getvalue())


def test_damage_in_the_store_means_learning_anew(tmp_path: Path) -> None:
    database = Database(migrated_file(tmp_path / "store.sqlite"))
    version = DatabaseWorkloads(database).ensure(workload(), MONDAY)
    with database.write() as connection:
        row = {"version_id": version.id, "learned_at": MONDAY, "payload": zlib.compress(b"x")}
        connection.execute(sa.insert(t.uplift_curve).values(row))

    assert DatabaseUplifts(database).get(version) is None
    database.close()
