"""Ids of what S3 starts; the one place where it is random, by a generator that is handed in."""

import random
import string
import uuid
from typing import Final

from chimera.trading.ids import ClientOrderId, IntentId
from chimera.trading.money import Millis

_ALPHABET: Final = string.digits + string.ascii_lowercase
_BASE_MAX: Final = 6
_RAND: Final = 5
ROOT_MAX: Final = 30  # leaves room for a child's suffix in the venue's 36


def new_uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def new_intent_id(rng: random.Random) -> IntentId:
    return IntentId(new_uuid(rng))


def new_client_order_id(service: str, base: str, now_ms: Millis, rng: random.Random) -> ClientOrderId:
    """``{svc}-{base asset}-{ts}-{rand}``, at most 30 characters; a base asset that is not ASCII shows as ``x``."""
    tail = f"{now_ms}-{''.join(rng.choices(_ALPHABET, k=_RAND))}"
    room = min(_BASE_MAX, ROOT_MAX - len(f"{service}--{tail}"))
    shown = "".join(letter for letter in base.lower() if letter in _ALPHABET)[:room] or "x"
    return ClientOrderId(f"{service}-{shown}-{tail}")
