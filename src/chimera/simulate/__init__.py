"""A simulated exchange in memory: markets, book, matching, accounts, faults, audit, and Binance's face of it. Pure."""
