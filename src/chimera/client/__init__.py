"""The typed, asynchronous client of Chimera's services: what S3 itself uses and what users import."""

from chimera.client.alerts import AlertsClient
from chimera.client.router import RouterClient
from chimera.client.strategy import Decided, StrategyClient
from chimera.ports.intents import OrderAnswer

__all__ = ["AlertsClient", "Decided", "OrderAnswer", "RouterClient", "StrategyClient"]
