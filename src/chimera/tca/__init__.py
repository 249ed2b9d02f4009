"""Transaction cost analysis: what trading an intent cost against the market as it was, and where the cost arose.

Everything is computed from rows of the ledger and, where there is one, a recorded market; the same rows and the same
captures give the same report, byte for byte. Signs: above 0 is a cost, below 0 a gain, on either side. Amounts are
quote asset, exact; basis points are of a notional that each definition names, to 1e-4.

Invariants: the parts of a shortfall add up to it exactly; what is not known is None and counted, never 0. It decides
nothing, opens no file, and knows no clock.
"""
