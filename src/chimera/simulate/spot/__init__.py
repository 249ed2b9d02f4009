"""Binance Spot as the simulated venue has it: orders and lists, balances, its REST calls, its streams. Pure."""
