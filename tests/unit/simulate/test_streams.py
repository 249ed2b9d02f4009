"""Public streams by route, listenKeys, depth that a client can rebuild a book from."""

from decimal import Decimal

import pytest

D = Decimal


@pytest.mark.parametrize(
    ("route", "stream"),
    [
        ("public", "btcusdt@bookTicker"),
        ("public", "btcusdt@depth@100ms"),
        ("public", "btcusdt@depth5"),
        ("market", "btcusdt@aggTrade"),
        ("public", "btcusdt@trade"),
        ("market", "btcusdt@markPrice"),
        ("market", "btcusdt@markPrice@1s"),
    ],
)
def test_a_stream_is_heard_on_its_route_and_silent_on_the_others(new_desk, route, stream):
    for where in ("public", "market", "private"):
        desk = new_desk()
        assert desk.twin.subscribe(where, stream) is (where == route)
        desk.now += 1
        desk.top("65799.9", "65800.0")
        desk.mark("65800")
        desk.trade("65800.0", "1", "BUY")
        heard = {(frame.route, frame.channel) for frame in desk.twin.drain()}
        assert heard == ({(route, stream)} if where == route else set())


def test_an_unwatched_market_makes_no_frames(desk):
    desk.twin.subscribe("public", "btcusdt@bookTicker")
    desk.twin.subscribe("public", "btcusdt@bookTicker")
    desk.twin.unsubscribe("public", "btcusdt@bookTicker")
    desk.top("65799.8", "65800.0")
    assert len(desk.events("bookTicker")) == 1
    desk.twin.unsubscribe("public", "btcusdt@bookTicker")
    desk.top("65799.7", "65800.0")
    assert desk.events() == []


def test_payloads(desk):
    for route, kind in (("public", "bookTicker"), ("market", "aggTrade"), ("market", "markPrice@1s")):
        desk.twin.subscribe(route, f"btcusdt@{kind}")
    desk.top("65799.8", "65800.0", ask_qty="7")
    desk.trade("65799.8", "0.5", "SELL")
    desk.mark("65801")
    ticker, trade, mark = desk.events()
    assert set(ticker) == {"e", "u", "E", "T", "s", "ps", "b", "B", "a", "A", "st"}
    assert (ticker["b"], ticker["B"], ticker["a"], ticker["A"]) == ("65799.80", "5.000", "65800.00", "7.000")
    assert set(trade) == {"e", "E", "s", "a", "p", "q", "nq", "f", "l", "T", "m", "st"}
    assert (trade["p"], trade["q"], trade["m"]) == ("65799.80", "0.500", True)
    assert set(mark) == {"e", "E", "s", "p", "ap", "i", "P", "r", "T", "st"}
    assert (mark["e"], mark["p"], mark["E"]) == ("markPriceUpdate", "65801.00000000", desk.now)


def test_our_taker_prints_a_public_trade(desk):
    desk.twin.subscribe("market", "btcusdt@aggTrade")
    desk.market("BUY", "0.1")
    assert [(e["p"], e["q"], e["m"]) for e in desk.events("aggTrade")] == [("65800.00", "0.100", False)]


def test_a_mark_comes_from_the_mid_while_the_source_gives_none(desk):
    desk.twin.subscribe("market", "btcusdt@markPrice@1s")
    desk.now += 999
    desk.twin.tick(desk.now)
    assert desk.events() == []
    desk.now += 1
    desk.twin.tick(desk.now)
    assert [e["p"] for e in desk.events()] == ["65799.95000000"]
    desk.mark("70000")
    desk.now += 5_000
    desk.twin.tick(desk.now)
    assert [e["p"] for e in desk.events()] == ["70000.00000000"]


def test_a_client_rebuilds_the_book_from_snapshot_and_diffs(deep_desk):
    desk = deep_desk
    desk.twin.subscribe("public", "btcusdt@depth@100ms")
    desk.depth({"65799.8": "0"}, {"65800.1": "9"})
    desk.now += 100
    desk.depth({"65799.7": "3"}, {})
    snapshot = desk.raw("GET", "/fapi/v1/depth", "symbol=BTCUSDT")[1]
    book = {side: dict(snapshot[side]) for side in ("bids", "asks")}
    for step in range(1, 6):
        desk.now += 60
        desk.depth({"65799.0": str(step)}, {"65801.0": "0" if step == 5 else "1"})
    desk.now += 100
    desk.twin.tick(desk.now)

    previous = None
    for diff in desk.events("depthUpdate"):
        if diff["u"] < snapshot["lastUpdateId"]:
            previous = diff["u"]
            continue
        assert previous is None or diff["pu"] == previous
        previous = diff["u"]
        for side, levels in (("bids", diff["b"]), ("asks", diff["a"])):
            for price, qty in levels:
                book[side].pop(price, None)
                if D(qty):
                    book[side][price] = qty
    fresh = desk.raw("GET", "/fapi/v1/depth", "symbol=BTCUSDT")[1]
    assert book == {side: dict(fresh[side]) for side in ("bids", "asks")}
    assert previous == fresh["lastUpdateId"]


def test_partial_depth_shows_the_best_levels(deep_desk):
    deep_desk.twin.subscribe("public", "btcusdt@depth5@100ms")
    deep_desk.depth({"65799.9": "1"}, {})
    event = deep_desk.events("depthUpdate")[0]
    assert event["b"] == [["65799.90", "1.000"], ["65799.80", "1.000"], ["65799.00", "2.000"]]
    assert len(event["a"]) == 3


class TestListenKey:
    def test_one_per_account_extended_by_post_and_put(self, desk):
        key = desk.listen()
        desk.now += 59 * 60_000
        assert desk.listen() == key
        desk.now += 59 * 60_000
        desk.twin.tick(desk.now)
        assert desk.raw("PUT", "/fapi/v1/listenKey")[1] == {"listenKey": key}
        desk.now += 59 * 60_000
        desk.twin.tick(desk.now)
        assert desk.events() == []

    def test_it_ends_after_an_hour_with_one_event_then_silence(self, desk):
        key = desk.listen()
        desk.now += 60 * 60_000
        desk.twin.tick(desk.now)
        desk.twin.tick(desk.now)
        frames = desk.twin.drain()
        assert [(f.route, f.channel) for f in frames] == [("private", key)]
        assert frames[0].json() == {"e": "listenKeyExpired", "E": desk.now, "listenKey": key}
        desk.market("BUY", "0.1")
        assert desk.events() == []
        assert desk.raw("PUT", "/fapi/v1/listenKey")[1]["code"] == -1125
        assert desk.listen() != key

    def test_a_key_whose_hour_is_over_cannot_be_kept_alive(self, desk):
        """Whether or not anybody looked at the clock between."""
        key = desk.listen()
        desk.now += 60 * 60_000
        assert desk.raw("PUT", "/fapi/v1/listenKey")[1]["code"] == -1125
        assert [frame["listenKey"] for frame in desk.events("listenKeyExpired")] == [key]
        assert desk.listen() != key

    def test_delete_closes_it(self, desk):
        desk.listen()
        assert desk.raw("DELETE", "/fapi/v1/listenKey") == (200, {})
        assert desk.raw("DELETE", "/fapi/v1/listenKey")[1]["code"] == -1125
        desk.market("BUY", "0.1")
        assert desk.events() == []
