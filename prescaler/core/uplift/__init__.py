"""What past crowds teach about planned ones: learnt uplift curves, and demand without them."""

from prescaler.core.uplift.crowds import AROUND, Crowd, Frame, fingerprint
from prescaler.core.uplift.curve import Evidence, UpliftCurve
from prescaler.core.uplift.model import Example, KindModel, Ordinary, UpliftModel
from prescaler.core.uplift.rolling import roll_ordinary
from prescaler.core.uplift.saturation import full_points
from prescaler.core.uplift.similarity import Similarity

__all__ = [
    "AROUND",
    "Crowd",
    "Evidence",
    "Example",
    "Frame",
    "KindModel",
    "Ordinary",
    "Similarity",
    "UpliftCurve",
    "UpliftModel",
    "fingerprint",
    "full_points",
    "roll_ordinary",
]
