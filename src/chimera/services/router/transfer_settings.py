"""S4's settings for transfers between the wallets (S4-XFER-1). Amounts are in units of the asset that moves."""

from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator
from pydantic_settings import BaseSettings

from chimera.admit.transfer_policy import TransferPolicy
from chimera.services.setting_kinds import Amount, Names, Truth, decimal, setting

_ASSET: Final = "of the asset"
_POLICY: Final = TransferPolicy()  # what deciding code does unless told otherwise is written there


class TransferSettings(BaseSettings):
    """Off unless switched on; what leaves a wallet is bounded three times."""

    transfer_enabled: Truth = setting(
        "S4_TRANSFER_ENABLED",
        _POLICY.enabled,
        "true|false",
        "Move money between the spot and the futures wallet where needed.",
    )
    transfer_assets: Names = setting(
        "S4_TRANSFER_ASSETS",
        _POLICY.assets,
        "list",
        "What may move; the first is what margin is made of.",
        min_length=1,
    )
    transfer_max: Amount = setting("S4_TRANSFER_MAX", _POLICY.ceiling, _ASSET, "Most that one transfer moves.")
    transfer_max_day: Amount = setting(
        "S4_TRANSFER_MAX_DAY", _POLICY.day_ceiling, _ASSET, "Most that moves in a UTC day, both ways together."
    )
    transfer_floor: Annotated[Decimal, BeforeValidator(decimal)] = setting(
        "S4_TRANSFER_FLOOR", _POLICY.floor, _ASSET, "What stays behind in the wallet that it leaves.", ge=0
    )
    transfer_keep_free: Annotated[Decimal, BeforeValidator(decimal)] = setting(
        "S4_TRANSFER_KEEP_FREE",
        _POLICY.keep_free,
        _ASSET,
        "Free margin of risk.budget that transfers keep up in the futures wallet; 0: they wait for a refusal.",
        ge=0,
    )

    @property
    def transfers(self) -> TransferPolicy:
        """As deciding code uses it."""
        return TransferPolicy(
            enabled=self.transfer_enabled,
            assets=self.transfer_assets,
            ceiling=self.transfer_max,
            day_ceiling=self.transfer_max_day,
            floor=self.transfer_floor,
            keep_free=self.transfer_keep_free,
        )
