"""Where observations are missing."""

from collections.abc import Iterable, Iterator

import numpy as np

from prescaler.core.series import Series
from prescaler.core.spans import Span


def gaps(pieces: Iterable[Series]) -> Iterator[Span]:
    """Holes between the first and the last observation of neighbouring pieces, in their order.

    Holes before the first and behind the last observation are no gaps: nothing says that there was
    any demand to be seen.
    """
    begun, since = False, None
    for piece in pieces:
        observed = piece.observed
        edges = np.flatnonzero(np.diff(observed.astype(np.int8), prepend=-1))
        for index in edges.tolist():
            instant = piece.start + index * piece.step
            if not observed[index]:
                since = instant if since is None else since
                continue
            if begun and since is not None:
                yield Span(since, instant)
            begun, since = True, None
