"""The key that every simulated exchange has ready, for whoever talks to one. It guards imaginary money only.

Nothing else of the simulator comes with it: S4 starts with this key against a simulator, and loads no exchange.
"""

from typing import Final

API_KEY: Final = "chimera-sim-key"
SECRET: Final = "chimera-sim-secret"  # noqa: S105  # published with the simulator
