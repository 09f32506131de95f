"""A centre's stock, shared out among the locations that want more of it than there is.

What belongs here: which packs go where, as arrays with one element per line. What does not: how much each line wants
(`orders.py`), what the centre has (`centres.py`).

The k-th unit above a location's inventory position is of use with probability P(D >= IP + k), D the demand of its
protection interval. Each next pack goes where its units are likeliest of use, so that in the end the locations are, as
nearly as packs allow, equally likely to run out. As long as all packs have one size, no other allotment is expected to
serve more units (Fox, Operations Research 14 (1966) 191). Prices do not count: a location is not left empty because it
sells for less.
"""

import numpy as np
from numpy.typing import NDArray

from nexgen_assets.replenishment.constraints import in_parts, in_units
from nexgen_assets.replenishment.shared_limits import Lines, Losses, lots

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_PACKS = 64


def allotted(lines: Lines, stock: Integers, on_hand: Floats, expected_lost: Losses) -> Floats:
    """Units of each line's order that its centre can send, [lines]: full packs, never more than ordered.

    `stock` [lines] numbers the stocks that orders draw on, a product in a centre each, -1 for none; `on_hand` [stocks]
    is what they hold, in units, infinite where nobody knows. Where a stock holds all that is ordered, all is sent. The
    first lot of a line is its smallest order. An order of more than MOST_PACKS packs is allotted in so many lots, the
    last of them pack by pack. Of lots of equal use, those of the line that has got fewer go first, then the earlier
    line's.
    """
    ordered, drawn = in_parts(lines.order_units), stock >= 0
    wanted = np.bincount(stock[drawn], ordered[drawn], len(on_hand))
    is_short = np.zeros(len(ordered), np.bool_)
    is_short[drawn] = (wanted > in_parts(on_hand))[stock[drawn]]
    rows = np.flatnonzero(is_short & (ordered > 0))
    if not len(rows):
        return lines.order_units
    line, units, served = lots(lines, rows, np.ones_like(lines.order_units), expected_lost, most=MOST_PACKS)
    number = np.arange(len(line)) - np.searchsorted(line, line)
    sent = np.where(is_short, 0.0, ordered)
    left, pack, size = in_parts(on_hand), in_parts(lines.pack_size), in_parts(units)
    is_closed = np.zeros(len(sent), np.bool_)
    for lot in np.lexsort((number, -served / units)).tolist():
        to, source = line[lot], stock[line[lot]]
        if is_closed[to]:
            continue
        fits = size[lot]
        if fits > left[source]:  # what follows in this line would fit no better
            is_closed[to] = True
            fits = left[source] // pack[to] * pack[to] if number[lot] else 0.0
        sent[to] += fits
        left[source] -= fits
    return in_units(sent)
