"""TW-2, parameters: each mandatory one missing, and an unknown one, at every endpoint, by Binance's own codes."""

import pytest
from parameters import BY_TYPE, MANDATORY, STRANGER, TABLES, Trial, a_twin, trials, tried

pytestmark = pytest.mark.req("TW-2")

TRIALS = list(trials())


@pytest.fixture(scope="module")
def twin():
    return a_twin()


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.label)
def test_a_parameter_that_is_missing_or_unknown(twin, trial: Trial) -> None:
    told = tried(twin, trial)

    assert (told["status"], told["code"]) == (400, trial.code)
    assert not told["done"]
    if trial.code == -1102:
        assert trial.name in told["msg"]
        assert "was not sent, was empty/null, or malformed" in told["msg"] or "must be sent" in told["msg"]
    elif trial.code == -1101:
        assert told["msg"].startswith("Too many parameters; expected '")
    else:
        assert told["msg"].startswith("Not all sent parameters were read; read '")


@pytest.mark.parametrize(
    ("path", "terms", "said"),
    [  # as others were told by Binance: binance-api-postman #236, sieblyio/binance #245, pybotters #190
        ("/api/v3/order", "symbol side type timeInForce quantity price", "expected '6' and received '8'."),
        ("/api/v3/historicalTrades", "symbol limit fromId signature", "expected '3' and received '4'."),
        ("/api/v3/ping", "timestamp signature", "expected '0' and received '2'."),
    ],
)
def test_more_parameters_than_an_endpoint_has_are_too_many(twin, path: str, terms: str, said: str) -> None:
    told = tried(twin, Trial("GET", path, dict.fromkeys(terms.split(), "1"), "", -1101))

    assert (told["code"], told["msg"]) == (-1101, f"Too many parameters; {said}")


def test_futures_do_not_mind_a_signature_that_they_do_not_need(twin) -> None:
    """As pybotters signs everything, and ccxt adds a word of its own when it asks for a listenKey."""
    signed = {"timestamp": "1", "signature": "x"}
    assert tried(twin, Trial("GET", "/fapi/v1/depth", {"symbol": "BTCUSDT", **signed}, "", 0))["status"] == 200
    assert tried(twin, Trial("POST", "/fapi/v1/listenKey", {"subType": "None"}, "", 0))["status"] == 200


def test_every_documented_endpoint_is_served_or_known_not_to_be() -> None:
    assert MANDATORY.keys() <= TABLES.keys()
    assert {(method, path) for method, path, _, _ in BY_TYPE} <= TABLES.keys()


def test_the_twin_asks_for_nothing_that_is_not_documented_as_mandatory() -> None:
    asked = {key: set(found.mandatory) for key, found in TABLES.items() if found.mandatory}
    assert asked == {key: set(names) for key, names in MANDATORY.items()}


def test_no_endpoint_takes_the_stranger() -> None:
    assert not [key for key, found in TABLES.items() if STRANGER in found.optional]
