"""Futures' codes in words of ours, row by row, and what each row means for a stop; no other code says anything."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import chimera
from chimera.adapters.binance.outcomes import by_code, trouble
from chimera.adapters.binance.refusals import BY_CODE
from chimera.adapters.binance.spot import outcomes as spot
from chimera.adapters.binance.transport import Reply
from chimera.protect.verdicts import Verdict, takes_form, verdict
from chimera.trading.errors import VenueRejected
from chimera.trading.money import Millis
from chimera.trading.refusal import Refusal as R

V = Verdict
ROWS: Final[dict[tuple[R, Verdict], tuple[int, ...]]] = {
    (R.UNSUPPORTED, V.FORM): (-4120, -4136, -4137, -4138, -1014, -1020),
    (R.ACCOUNT_MODE, V.FORM): (-4061, -4062),
    (R.MALFORMED, V.FORM): (-1101, -1102, -1103, -1104, -1105, -1106, -1116),
    (R.NO_ENDPOINT, V.FORM): (-5000, 404, 405, 410),
    (R.OCCUPIED, V.OCCUPIED): (-4130,),
    (R.WOULD_TRIGGER, V.CROSSED): (-2021, -4142),
    (R.NOTHING_TO_REDUCE, V.PLACE): (-2022, -4118, -4509),
    (R.TOO_MANY, V.PLACE): (-4045,),
    (R.PRICE_BAND, V.PLACE): (-4016, -4024, -4131, -4210, -4211),
    (R.MARKET_CLOSED, V.STATUS): (-1122, -4108, -4140, -4141),
    (R.TOO_PRECISE, V.RULES): (-1111,),
    (R.FILTER, V.RULES): (-1013,),
    (R.PRICE_RULE, V.RULES): (-4001, -4002, -4006, -4007, -4013, -4014),
    (R.QTY_RULE, V.RULES): (-4003, -4004, -4005, -4023),
    (R.NOTIONAL, V.RULES): (-4164,),
    (R.SIGNATURE, V.KEY): (-1022,),
    (R.KEY, V.KEY): (-2014, -2015, -2017, 401),
    (R.NOT_PERMITTED, V.UNSURE): (-1002,),
    (R.NOT_OPEN, V.UNSURE): (-2011,),
    (R.LACKS_BALANCE, V.UNSURE): (-2018, -2019),
    (R.DUPLICATE, V.UNSURE): (-4116,),
    (R.WOULD_TAKE, V.UNSURE): (-5022,),
}
EACH: Final = [(code, why, told) for (why, told), codes in ROWS.items() for code in codes]
OURS: Final = {R.KEPT_BACK: V.PLACE, R.ENDED: V.PLACE}  # no venue says these
OF_RULES: Final = (V.RULES, V.STATUS)
PURE: Final = ("trading", "admit", "decide", "route", "protect", "execute", "reconcile")


def said(code: int) -> VenueRejected:
    bare = Reply(status=code, headers={}, body=b"no")
    error = by_code(code, "no") if code < 0 else trouble(bare, Millis(0))
    assert isinstance(error, VenueRejected), code
    return error


@pytest.mark.req("S4-FUT-3")
@pytest.mark.parametrize(("code", "why", "told"), EACH)
def test_each_code_is_read_into_a_word_and_the_word_into_a_verdict(code: int, why: R, told: Verdict) -> None:
    error = said(code)

    assert (error.code, error.refusal, verdict(error.refusal)) == (code, why, told)
    assert error.of_rules is (told in OF_RULES)


def test_no_other_code_says_anything() -> None:
    """Unknown stays unknown: another form is tried, and no rules are read anew."""
    listed = {code for code, _, _ in EACH}
    assert set(BY_CODE) == {code for code in listed if code < 0}
    for code in set(range(-9_999, 0)) - listed:
        error = by_code(code, "no")
        if isinstance(error, VenueRejected):
            assert (error.refusal, error.of_rules) == (None, False), code


def test_what_no_futures_code_says_is_unsure_but_for_our_own() -> None:
    left = set(R) - {why for why, _ in ROWS}

    assert {why: verdict(why) for why in left} == dict.fromkeys(left, V.UNSURE) | OURS
    assert (verdict(None), takes_form(None)) == (V.UNSURE, None)


@pytest.mark.parametrize("code", [-1111, -1122, -1013])
@pytest.mark.parametrize("text", ["Filter failure: PERCENT_PRICE_BY_SIDE", "Market is closed.", "The stars are wrong."])
def test_on_spot_a_broken_rule_is_told_by_its_number(code: int, text: str) -> None:
    """Whatever the sentence: bands and counts are filters there, too."""
    error = spot.by_code(code, text)
    assert isinstance(error, VenueRejected)
    assert error.of_rules

    for other in (-2010, -2015, -1014, -1102):
        error = spot.by_code(other, text)
        assert isinstance(error, VenueRejected)
        assert not error.of_rules


def test_deciding_code_holds_no_venue_s_number() -> None:
    """They are read where they come in; what decides goes by ``Refusal``."""
    root = Path(chimera.__file__).parent
    found = [
        f"{path.relative_to(root)}: {code}"
        for folder in PURE
        for path in sorted((root / folder).rglob("*.py"))
        for code in _numbers(ast.parse(path.read_text(encoding="utf-8")))
        if code in BY_CODE
    ]
    assert found == []


def _numbers(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
                yield -number
