"""Rehearsal against the real thing: named checks of what Binance answers, run on the twin and on demo, and compared.

Nothing here decides about money, and nothing here can reach a production host.
"""
