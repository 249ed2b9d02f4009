"""What a bundle may not have meant: shadowed rules, and rules that can say different things at once.

Such a bundle is safe (two rules that name different sides are a skip) and may be meant, so these findings are told and
refuse nothing. A pair counts where both rules apply to one symbol at one time; what two conditions have in common is
``reach``'s to say. At most ``PAIRS_MAX`` pairs are looked at, and a finding says when that was not all.
"""

from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from typing import Final

from chimera.decide.rules.action import Action, Execute, GoMarket, GoSide, SkipEntry, describe
from chimera.decide.rules.bundle import Bundle, Rule, order
from chimera.decide.rules.finding import Finding
from chimera.decide.rules.reach import can_hold, implies

PAIRS_MAX: Final = 5_000
_WORDS: Final = (SkipEntry, GoSide, GoMarket, Execute)  # said once for the whole decision; multipliers multiply
_AT_ONCE: Final = {
    GoSide: "then it is a skip",
    GoMarket: "then it is a skip",
    Execute: "then the first counts",
}
Pair = tuple[type[Action], Rule, Rule]


def advising(bundle: Bundle) -> Generator[None, None, tuple[Finding, ...]]:
    """Each under the rule that fires later, which is the one to look at; one pair of rules a step."""
    pairs, found = _pairs(bundle), dict[Finding, None]()
    for pair in islice(pairs, PAIRS_MAX):
        found.update(dict.fromkeys(_of(*pair)))
        yield
    if next(pairs, None) is not None:
        words = f"more than {PAIRS_MAX} pairs of rules meet; the rest is not compared"
        found[Finding(rule_id="*", path="$", message=words)] = None
    return tuple(found)


def _pairs(bundle: Bundle) -> Iterator[Pair]:
    """A rule that says something final, and one after it that this may concern, where they meet in a symbol."""
    yield from _among(bundle.everywhere, bundle.everywhere)
    for rules in bundle.by_symbol.values():
        yield from _among(rules, tuple(rule for rule in rules if not rule.everywhere))


def _among(rules: Sequence[Rule], own: Sequence[Rule]) -> Iterator[Pair]:
    """Pairs of ``rules`` with one of ``own`` in each: those of every symbol are compared once, not once a symbol."""
    for word in _WORDS:
        for one in rules:
            if _said(one, word) is None:
                continue
            for other in own if one.everywhere else rules:
                concerned = word is SkipEntry or _said(other, word) is not None
                if concerned and order(one) < order(other):
                    yield word, one, other


def _of(word: type[Action], one: Rule, other: Rule) -> Iterator[Finding]:
    if _apart(one, other):
        return
    path = "$.when" if word is SkipEntry else _said(other, word) or "$.action"
    if word in (SkipEntry, Execute) and _covers(one, other):
        says = describe(one.actions[_said(one, word) or ""])
        words = f"is shadowed: whenever the rule holds, {one.rule_id} goes before it and says {says}"
        yield Finding(rule_id=other.rule_id, path=path, message=words)
    elif word is not SkipEntry:
        first, second = (rule.actions[_said(rule, word) or ""] for rule in (one, other))
        if first != second and can_hold(one.clause.condition, other.clause.condition):
            words = f"says {describe(second)} where {one.rule_id} says {describe(first)}, and both can hold at once"
            yield Finding(rule_id=other.rule_id, path=path, message=f"{words}: {_AT_ONCE[word]}")


def _said(rule: Rule, word: type[Action]) -> str | None:
    """The path of the rule's action of this type."""
    return next((path for path, action in rule.actions.items() if isinstance(action, word)), None)


def _apart(one: Rule, other: Rule) -> bool:
    """Whether the time of one is over before the other's begins."""
    first, second = one.window, other.window
    return any(
        a.until_ms is not None and b.from_ms is not None and a.until_ms <= b.from_ms
        for a, b in ((first, second), (second, first))
    )


def _covers(one: Rule, other: Rule) -> bool:
    """Whether ``one`` fires wherever and whenever ``other`` does."""
    if not one.everywhere and not set(other.symbols) <= set(one.symbols):
        return False
    first, second = one.window, other.window
    starts = first.from_ms is None or (second.from_ms is not None and first.from_ms <= second.from_ms)
    ends = first.until_ms is None or (second.until_ms is not None and second.until_ms <= first.until_ms)
    return starts and ends and implies(other.clause.condition, one.clause.condition)
