"""A simulated Binance in memory, pure. `twin` is the whole of it.

Above both markets: `markets` (what moves them), `doors` (who may ask what), `control` (`/sim/`), `keeping` (over
restarts), `wallet` (money between them), `trouble` (what goes wrong). Below: `usdm` and `spot`, neither of which knows
the other; `venue`, what both are made of; `door`, the way in.
"""
