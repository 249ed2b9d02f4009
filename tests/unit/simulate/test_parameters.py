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
    else:
        assert told["msg"].startswith("Not all sent parameters were read; read '")


def test_every_documented_endpoint_is_served_or_known_not_to_be() -> None:
    assert MANDATORY.keys() <= TABLES.keys()
    assert {(method, path) for method, path, _, _ in BY_TYPE} <= TABLES.keys()


def test_the_twin_asks_for_nothing_that_is_not_documented_as_mandatory() -> None:
    asked = {key: set(found.mandatory) for key, found in TABLES.items() if found.mandatory}
    assert asked == {key: set(names) for key, names in MANDATORY.items()}


def test_no_endpoint_takes_the_stranger() -> None:
    assert not [key for key, found in TABLES.items() if STRANGER in found.optional]
