"""The keys a client is opened with."""

from dataclasses import dataclass

from venue import KEEPER, PRIVATE_KEY, READY, Venue


@dataclass(frozen=True)
class ClientKey:
    """An API key with its secret, or with the private half of an Ed25519 pair (PEM)."""

    api_key: str
    secret: str = ""
    private_key: str = ""


def key_for(venue: Venue, kind: str) -> ClientKey:
    """The key an operation asks for; the venue then looks at that key's owner."""
    if kind == "ed25519":
        venue.owner = KEEPER.name
        return ClientKey(KEEPER.api_key, private_key=PRIVATE_KEY)
    other = {"wrong": {"secret": "not-the-secret"}, "unknown": {"api_key": "nobody-has-this-key"}}
    return ClientKey(**({"api_key": READY.api_key, "secret": READY.secret} | other.get(kind, {})))
