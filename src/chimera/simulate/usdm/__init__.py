"""Binance USD-M futures' face of the simulated venue: its REST calls, its streams, its payload shapes. Pure."""
