"""A failing seed's faults made few: those without which it would not fail."""

from collections.abc import Callable, Sequence


def ddmin(faults: Sequence[str], fails: Callable[[Sequence[str]], bool], *, runs: int = 200) -> list[str]:
    """A small set of faults with which the run still fails (delta debugging).

    ``fails`` runs with only these faults allowed. After ``runs`` runs the smallest set so far is returned. A failure
    that needs no fault gives the empty list.
    """
    if fails([]):
        return []
    kept, parts, left = list(faults), 2, runs - 1
    while len(kept) > 1 and left > 0:
        size = -(-len(kept) // parts)
        chunks = [kept[start : start + size] for start in range(0, len(kept), size)]
        smaller = None
        for chunk in chunks:
            rest = [fault for fault in kept if fault not in set(chunk)]
            candidates = [chunk, rest] if len(chunks) > 2 else [chunk]
            for candidate in candidates:
                left -= 1
                if fails(candidate):
                    smaller = candidate
                    break
            if smaller is not None or left <= 0:
                break
        if smaller is not None:
            parts = 2 if len(smaller) <= size else max(2, parts - 1)
            kept = smaller
        elif parts >= len(kept):
            break
        else:
            parts = min(len(kept), parts * 2)
    return kept
