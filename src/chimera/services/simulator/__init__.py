"""The simulated exchange as a process: HTTP, WebSocket and a market in wall time around one ``Twin``."""
