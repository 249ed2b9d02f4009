"""S4's settings for several routers of one account, of which one acts (ADR 42)."""

from typing import Literal

from chimera.services.router.config import OWNER_NAME
from chimera.services.router.face_settings import FaceSettings
from chimera.services.setting_kinds import setting


class LeaseSettings(FaceSettings):
    """Off: one router, as ever."""

    leases: Literal["off", "on"] = setting(
        "S4_LEASES",
        "off",
        "off|on",
        "on: several routers share the ledger and the Redis of an account; who holds its lease acts, others stand by.",
    )
    owner_name: str = setting(
        "S4_OWNER_NAME",
        OWNER_NAME,
        "name",
        "This router's name, in rows, alerts and leases; of several routers each has its own.",
        min_length=1,
        max_length=64,
    )
    url: str | None = setting(
        "S4_URL", None, "URL", "Where others reach this router, told by those that stand by; unset: where it listens."
    )
