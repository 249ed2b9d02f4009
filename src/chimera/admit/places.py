"""Whether the venue has a place left for the stop and the target that an entry will need (S4-LIM-2).

Conditional orders are few by account and by symbol, and other people's take places, too. An entry that filled without
one would stand there bare, so it is refused before it leaves.
"""

from collections.abc import Mapping
from typing import Final

from chimera.trading.errors import Refused
from chimera.trading.ids import Symbol

MOST: Final = 200  # conditional orders of one account, over all symbols (Binance, error -4045)
OF_ENTRY: Final = 4  # stop and target, and their successors before the old ones are gone
OF_SPOT_ENTRY: Final = 2  # a list counts by its stop; one more for the list of what comes later


def no_place(
    symbol: Symbol, standing: Mapping[Symbol, int], most_of_symbol: int | None, needs: int = OF_ENTRY
) -> Refused | None:
    """``standing``: conditional orders by symbol, whoever's; ``most_of_symbol``: the venue's own limit, where told.

    ``needs``: how many an entry and what stands for it may take.
    """
    here = standing.get(symbol, 0)
    for count, most, where in ((sum(standing.values()), MOST, "the venue"), (here, most_of_symbol, str(symbol))):
        if most is not None and count + needs > most:
            told = f"{count} stops and targets stand; {where} takes {most}"
            return Refused("NO_STOP_SLOTS", told, accepted="exits; or later")
    return None
