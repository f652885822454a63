"""What the level correction looked like on other traffic: where its ridge regression shrinks to.

One small table for all curves and both scales. Derived by `bench/pooled_prior.py` from nine public
traces of a 5-minute step (web servers, a database, a load balancer, a message stream, virtual
machines), each with the same weight; `make bench-forecast` reports beside its main table what is
left of the gain when the table is derived without the trace that is scored.

Read a column as a rule of thumb: ten minutes ahead the residual of the next value is 0.4 of the
last one, 0.3 of the last quarter of an hour and 0.2 of the last three hours.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray

_WINDOWS: Final = (5.0, 15.0, 60.0, 180.0, 720.0, 1440.0, 4320.0)
"""Minutes over which the residuals before the cutoff are averaged; a row of the table each."""

_LEADS: Final = (
    *(5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 240.0),
    *(300.0, 360.0, 480.0, 600.0, 720.0, 840.0, 960.0, 1080.0, 1200.0, 1320.0, 1440.0),
)
"""Minutes; a column of the table each."""

# fmt: off
_TABLE: Final[tuple[tuple[float, ...], ...]] = (
    (
        0.5815, 0.4096, 0.3521, 0.3195, 0.3069, 0.2232, 0.1931, 0.1361, 0.1270, 0.1833,
        0.1046, 0.0847, 0.0728, 0.0448, 0.0164, 0.0219, 0.0434, 0.0504, 0.0422, 0.0245,
        0.0358, 0.0465,
    ),
    (
        0.2301, 0.3082, 0.3111, 0.2948, 0.2053, 0.1313, 0.0799, 0.0517, -0.0642, 0.1888,
        0.0413, 0.0208, 0.1242, -0.0379, -0.0392, 0.0264, -0.0160, 0.0232, 0.0199, -0.0537,
        0.0183, 0.1158,
    ),
    (
        0.0373, 0.0262, 0.0033, -0.0174, -0.0107, 0.0584, 0.0928, 0.2070, 0.4806, 0.1179,
        0.1480, 0.2771, 0.0750, 0.1657, 0.0252, 0.0246, 0.0219, -0.0284, 0.0556, 0.0803,
        -0.0852, -0.0915,
    ),
    (
        0.1118, 0.1914, 0.2481, 0.2959, 0.3541, 0.3928, 0.3916, 0.2807, 0.0526, -0.0246,
        0.0227, -0.1916, -0.1562, -0.1421, 0.0268, -0.0116, 0.0243, 0.0367, -0.0467, 0.0227,
        0.1254, 0.0336,
    ),
    (
        -0.0362, -0.0638, -0.0813, -0.1028, -0.1392, -0.1628, -0.1877, -0.1880, -0.1622,
        -0.1359, -0.1310, -0.0452, -0.0098, 0.0416, 0.0389, 0.0597, 0.0589, 0.0649, 0.0775,
        0.0364, -0.0065, -0.0059,
    ),
    (
        0.0260, 0.0409, 0.0489, 0.0586, 0.0928, 0.1098, 0.1371, 0.1571, 0.1643, 0.1885,
        0.2199, 0.2006, 0.1900, 0.1611, 0.1329, 0.0935, 0.0642, 0.0327, 0.0056, 0.0025,
        -0.0105, -0.0254,
    ),
    (
        -0.0363, -0.0558, -0.0718, -0.0784, -0.1006, -0.1453, -0.1626, -0.2028, -0.2266,
        -0.2653, -0.3040, -0.2941, -0.2715, -0.1772, -0.0697, 0.0470, 0.1198, 0.1641,
        0.1802, 0.1807, 0.1969, 0.2170,
    ),
)
# fmt: on


@dataclass(frozen=True, eq=False)
class CorrectionPrior:
    """windows: [W] and leads: [L] in minutes; table: [W, L] coefficients."""

    windows: FloatArray
    leads: FloatArray
    table: FloatArray


def with_table(table: FloatArray) -> CorrectionPrior:
    """Other coefficients on the same windows and leads."""
    return CorrectionPrior(np.array(_WINDOWS), np.array(_LEADS), np.asarray(table))


PRIOR: Final = with_table(np.array(_TABLE))
