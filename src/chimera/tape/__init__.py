"""Markets to trade against: captures replayed, a seeded synthetic one, and Binance's frames read as market events.

Every source yields `chimera.trading.market.MarketEvent` in time order under one contract:

- the first event of a symbol is its ``TopOfBook``; bid < ask and both sizes > 0, always;
- a ``DepthChanged`` names absolute quantities of levels strictly behind the last touch, or is a ``snapshot`` of the
  whole book, touch included; so a book that applies the events in order (``tape.depth.Depth``) never crosses;
- ``at_us`` never runs backwards.
"""
