"""Keeps what the stream ``alerts`` says as tickets, and sends: beside the trading, never in its way (ADR 53)."""
