"""The risk budget under ``risk:budget:{account}``: S4 writes it, S3 reads it. The nouns are in ``trading.budget``."""

from chimera.trading.budget import RiskBudget
from chimera.wire.codec import seal, unseal


def budget_document(budget: RiskBudget) -> bytes:
    return seal(budget)


def read_budget(document: bytes | str) -> RiskBudget:
    """Raises ``msgspec.ValidationError`` or ``NewerSchema``."""
    return unseal(document, RiskBudget)
