"""S4's settings for its HTTP face: where it listens, who may ask, and TLS."""

from pathlib import Path
from typing import Annotated

from chimera.services.access.door import RATE
from chimera.services.router.transfer_settings import TransferSettings
from chimera.services.setting_kinds import Whole, setting


class FaceSettings(TransferSettings):
    """On loopback nobody is asked who they are, unless tokens are named; elsewhere tokens are needed."""

    host: str = setting("S4_HOST", "127.0.0.1", "address", "Address to listen on; not loopback: tokens are needed.")
    port: Annotated[int, Whole] = setting("PORT", 8084, "port", "Port to listen on.", ge=0, le=65_535)
    api_tokens_path: Path | None = setting(
        "S4_API_TOKENS_PATH", None, "path", "File of API tokens (`chimera token`), read again when it changes."
    )
    api_rate: Annotated[int, Whole] = setting(
        "S4_API_RATE",
        RATE,
        "requests/s",
        "Of one token, and half of what one address may; in force with tokens. Cancels, closes and kills are free.",
        ge=1,
        le=100_000,
    )
    tls_cert_path: Path | None = setting("S4_TLS_CERT_PATH", None, "path", "Certificate chain, PEM; set: HTTPS.")
    tls_key_path: Path | None = setting("S4_TLS_KEY_PATH", None, "path", "Its private key, PEM.")
    tls_client_ca_path: Path | None = setting(
        "S4_TLS_CLIENT_CA_PATH", None, "path", "CA whose certificate a client must show, PEM."
    )
