"""A scenario file: JSON or TOML by its ending, read whole, refused by field, value and what is accepted."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from chimera.simulate.door.messages import NO_JSON
from chimera.simulate.trouble.scenario import CODE, Scenario, read, shown
from chimera.trading.errors import Refused

FIELD: Final = "--scenario"
_ENDINGS: Final = "a file that ends in .json or .toml"


def load(path: Path) -> Scenario:
    """The scenario at ``path``. Raises ``Refused``."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(CODE, f"{path} cannot be read: {error}", field=FIELD, accepted=_ENDINGS) from error
    given = plain(text, path)
    if not isinstance(given, dict):
        raise Refused(CODE, f"{path} holds no mapping", field=FIELD, value=shown(given), accepted="seed, faults, ...")
    try:
        return read(given)
    except Refused as refused:
        told = {"field": refused.field, "value": refused.value, "accepted": refused.accepted}
        raise Refused(CODE, f"{path}: {refused.message}", **told) from refused  # type: ignore[arg-type]  # as they were


def plain(text: str, path: Path) -> Any:
    """The file's plain values, numbers with a point as ``Decimal`` or float."""
    match path.suffix.lower():
        case ".json":
            try:
                return msgspec.json.decode(text)
            except NO_JSON as error:
                raise Refused(CODE, f"{path} is not JSON: {error}", field=FIELD, accepted=_ENDINGS) from error
        case ".toml":
            try:
                return tomllib.loads(text, parse_float=Decimal)
            except tomllib.TOMLDecodeError as error:
                raise Refused(CODE, f"{path} is not TOML: {error}", field=FIELD, accepted=_ENDINGS) from error
        case ending:
            raise Refused(CODE, f"{path} is of no known format", field=FIELD, value=ending, accepted=_ENDINGS)
