"""A scenario: which named faults strike whom, when and how often, under one seed; and how a mapping becomes one.

Invariants: a scenario that was read is complete (every parameter has its value, every default aim is filled in) and
strikes only what its faults can act on; what is wrong in a mapping is refused by field, value and what is accepted.
Deliberately unaware of files and their formats: ``services.simulator.scenario_file`` reads JSON and TOML.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from hashlib import blake2b
from typing import Any, Final

import msgspec

from chimera.simulate.door.refusals import CODES, Refusal
from chimera.simulate.trouble.catalogue import CATALOGUE
from chimera.simulate.trouble.entry import Entry, Param
from chimera.simulate.trouble.match import Match
from chimera.simulate.venue.account_spec import AccountSpec
from chimera.trading.errors import Refused
from chimera.trading.money import Millis
from chimera.trading.value import Value

CODE: Final = "SCENARIO"
_ID_CHARS: Final = 6


class When(Value, tag=False):
    """From when until when, in ms after the scenario began (or the fault was armed); ``to_ms`` ``None``: for good."""

    from_ms: Millis = Millis(0)
    to_ms: Millis | None = None


class Fault(Value, tag=False):
    """One named fault, armed.

    Of what ``match`` names and ``when`` covers, every ``every``-th is struck, with probability ``chance`` (by seed), at
    most ``count`` times (``None``: without limit). ``params`` are the catalogue's; ``id`` is unique in a scenario.
    """

    name: str
    id: str = ""
    params: dict[str, Any] = {}
    match: Match = Match()
    when: When = When()
    count: int | None = None
    every: int = 1
    chance: Any = 1  # a share between 0 and 1; Decimal once read

    @property
    def entry(self) -> Entry:
        """What the catalogue says about it."""
        return CATALOGUE[self.name]


class Market(Value, tag=False):
    """What the scenario would run on, for who starts the simulator; an option given there wins."""

    capture: str | None = None
    symbol: str | None = None
    seed: int | None = None
    speed: str | None = None


class Scenario(Value, tag=False):
    """``seed`` is of the faults' chance. Accounts are opened beside those that the venue already has."""

    name: str = ""
    seed: int = 0
    faults: tuple[Fault, ...] = ()
    accounts: tuple[AccountSpec, ...] = ()
    market: Market = Market()


def read(given: Mapping[str, Any]) -> Scenario:
    """A scenario from a mapping of plain values. Raises ``Refused`` naming field, value and what is accepted."""
    rows = given.get("faults", [])
    if not isinstance(rows, list):
        raise _refused("a scenario's faults are a list", "faults", rows, "a list of faults")
    plain = {name: value for name, value in given.items() if name != "faults"}
    _known(plain, Scenario, "")
    begun: Scenario = _converted(plain, Scenario, "")
    return begun.but(faults=numbered(fault(row, f"faults[{place}].") for place, row in enumerate(rows)))


def fault(given: Any, where: str = "") -> Fault:
    """One fault from a mapping; without an ``id`` it gets one from its content, in ``numbered``."""
    if not isinstance(given, Mapping):
        raise _refused("a fault is a mapping", where.rstrip(".") or "fault", given, "name, params, match, when, ...")
    _known(given, Fault, where)
    if "name" not in given:
        raise _refused("a fault has a name", f"{where}name", None, ", ".join(CATALOGUE))
    for part, kind in (("match", Match), ("when", When)):
        if isinstance(given.get(part), Mapping):
            _known(given[part], kind, f"{where}{part}.")
    return complete(_converted(dict(given), Fault, where), where)


def complete(fault: Fault, where: str = "") -> Fault:
    """The fault with every default filled in, or ``Refused``."""
    entry = CATALOGUE.get(fault.name)
    if entry is None:
        near = get_close_matches(fault.name, CATALOGUE, 1)
        hint = f"did you mean {near[0]}? all: " if near else ""
        raise _refused("no fault has this name", f"{where}name", fault.name, hint + ", ".join(CATALOGUE))
    match = _aimed(fault.match, entry, where)
    count = entry.count if fault.count is None else fault.count
    if count is not None and count < 1:
        raise _refused("a fault that never strikes", f"{where}count", count, "a whole number above 0, or none")
    if fault.every < 1:
        raise _refused("every how many is it struck?", f"{where}every", fault.every, "a whole number above 0")
    _check_when(fault.when, where)
    chance = Param(name="chance", kind="share", default=1, what="").read(fault.chance, f"{where}chance", CODE)
    return fault.but(match=match, count=count, chance=chance, params=_params(fault.params, entry, where))


def numbered(faults: Any, taken: tuple[str, ...] = ()) -> tuple[Fault, ...]:
    """Each with an id: its own, or one from its content, so that it keeps its luck when others come or go."""
    ids, out = set(taken), []
    for each in faults:
        if each.id in ids:
            raise _refused("two faults with one id", "id", each.id, "ids that differ")
        named = each if each.id else each.but(id=_own_id(each, ids))
        ids.add(named.id)
        out.append(named)
    return tuple(out)


def _own_id(fault: Fault, taken: set[str]) -> str:
    base = f"{fault.name}-{blake2b(_encode(fault), digest_size=8).hexdigest()[:_ID_CHARS]}"
    again = 2
    name = base
    while name in taken:
        name, again = f"{base}-{again}", again + 1
    return name


_encode = msgspec.json.Encoder(decimal_format="string", order="sorted").encode


def _aimed(match: Match, entry: Entry, where: str) -> Match:
    given = {name: value for name, value in msgspec.structs.asdict(match).items() if value}
    unfit = [name for name in given if name not in entry.on.aims]
    if unfit:
        accepted = ", ".join(entry.on.aims) or "nothing: it strikes all"
        field = f"{where}match.{unfit[0]}"
        raise _refused(
            f"{entry.name} acts on {entry.on.value} and cannot be aimed so", field, given[unfit[0]], accepted
        )
    aimed: Match = entry.match.but(**given)
    return aimed


def _params(given: Mapping[str, Any], entry: Entry, where: str) -> dict[str, Any]:
    known = {param.name: param for param in entry.params}
    for name, value in given.items():
        if name not in known:
            accepted = ", ".join(known) or "none"
            raise _refused(f"{entry.name} has no such parameter", f"{where}params.{name}", value, accepted)
    out = {
        name: param.read(given.get(name, param.default), f"{where}params.{name}", CODE) for name, param in known.items()
    }
    if "code" in out and not out["msg"] and out["code"] not in CODES:
        raise _refused("this code's text is not known here", f"{where}params.msg", "", f"the text of {out['code']}")
    if out.get("least_ms", 0) > out.get("most_ms", out.get("least_ms", 0)):
        raise _refused("the least is above the most", f"{where}params.least_ms", out["least_ms"], "at most most_ms")
    return out


def _check_when(when: When, where: str) -> None:
    if when.from_ms < 0:
        raise _refused("a fault begins before its scenario", f"{where}when.from_ms", when.from_ms, "0 or more")
    if when.to_ms is not None and when.to_ms <= when.from_ms:
        raise _refused("a fault ends before it begins", f"{where}when.to_ms", when.to_ms, f"above {when.from_ms}")


def _known(given: Mapping[str, Any], kind: type[Value], where: str) -> None:
    for name, value in given.items():
        if name not in kind.__struct_fields__:
            raise _refused("no such field", f"{where}{name}", value, ", ".join(kind.__struct_fields__))


def _converted(given: dict[str, Any], kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        said, _, at = str(error).partition(" - at `$")
        field = where + at.rstrip("`").lstrip(".")
        raise _refused(said, field or "scenario", _inside(given, at.rstrip("`")), "as docs/faults.md tells") from error


def _inside(given: Any, path: str) -> Any:
    """The value at msgspec's path, for the message; the whole where it cannot be followed."""
    for part in path.replace("[", ".[").split("."):
        if part.startswith("[") and isinstance(given, list) and part[1:-1].isdigit():
            given = given[int(part[1:-1])]
        elif part and isinstance(given, Mapping) and part in given:
            given = given[part]
    return given


def unfit(place: int, spec: AccountSpec, refusal: Refusal) -> Refused:
    """An account of a scenario that the venue does not open."""
    accepted = "a name and a key that nobody has, and one secret or public_key"
    return _refused(refusal.msg, f"accounts[{place}]", spec.name, accepted)


def _refused(message: str, field: str, value: object, accepted: str) -> Refused:
    return Refused(CODE, message, field=field, value=shown(value, field), accepted=accepted)


def shown(value: object, field: str = "") -> object:
    """A value as a refusal may repeat it: of mappings their names alone, for accounts have secrets."""
    if isinstance(value, Mapping):
        return sorted(map(str, value))
    if isinstance(value, list | tuple):
        return [shown(each, field) for each in value]
    return None if field.endswith("secret") else value
