"""What one bundle says otherwise than another: rule by rule, and inside a rule by JSON path."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from chimera.trading.value import Value

ABSENT: Final = "absent"


class Part(Value, tag=False):
    """One place. ``before`` and ``after`` are as they are written; ``absent`` where there is nothing."""

    path: str
    before: Any
    after: Any


class Changed(Value, tag=False):
    rule_id: str
    parts: tuple[Part, ...]


class BundleDifference(Value, tag=False):
    """``head``: bounds and flags."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Changed, ...]
    head: tuple[Part, ...]

    @property
    def same(self) -> bool:
        return not (self.added or self.removed or self.changed or self.head)


def difference(
    first: Mapping[str, Any],
    first_rules: Sequence[Mapping[str, Any]],
    second: Mapping[str, Any],
    second_rules: Sequence[Mapping[str, Any]],
) -> BundleDifference:
    """From the first to the second; the order of rules in the document says nothing."""
    old, new = ({str(rule.get("rule_id")): _meaning(rule) for rule in rules} for rules in (first_rules, second_rules))
    changed = [(rule_id, tuple(_parts("$", old[rule_id], new[rule_id]))) for rule_id in sorted(old.keys() & new)]
    heads = [{name: head.get(name) or {} for name in ("bounds", "flags")} for head in (first, second)]
    return BundleDifference(
        added=tuple(sorted(new.keys() - old)),
        removed=tuple(sorted(old.keys() - new)),
        changed=tuple(Changed(rule_id=rule_id, parts=parts) for rule_id, parts in changed if parts),
        head=tuple(_parts("$", heads[0], heads[1])),
    )


def _meaning(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in rule.items() if name != "schema_version"}


def _parts(path: str, before: Any, after: Any) -> Iterator[Part]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted(before.keys() | after):
            yield from _parts(f"{path}.{name}", before.get(name, ABSENT), after.get(name, ABSENT))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _parts(f"{path}[{number}]", one, other)
    elif str(before) != str(after):  # 1.2 and "1.2" are the same number
        yield Part(path=path, before=before, after=after)
