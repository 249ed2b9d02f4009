"""Preview, pause, resume and finish over HTTP: the same bodies in, nothing accepted that is only asked about."""

import httpx2
import pytest
from router_fake import FakeRouter

ORDER = {
    "intent_id": "p1", "market": "FUT", "symbol": "BTCUSDT", "side": "BUY", "qty": 0.002,
    "exec_policy": {"type": "MakerThenTaker", "twap": {"slice_usdt": 60, "gap_ms": 500, "curve": "sqrt"}},
    "sl": {"type": "STOP_MARKET", "price": 64800},
}  # fmt: skip


@pytest.mark.req("S4-PREV-1")
async def test_a_preview_reads_the_order_and_submits_nothing(client: httpx2.AsyncClient, router: FakeRouter) -> None:
    answer = await client.post("/orders/preview", json=ORDER)

    assert (answer.status_code, answer.json()["would"], answer.json()["qty"]) == (200, "ACCEPT", 0.002)
    [asked] = router.previews
    assert (asked.intent_id, str(asked.policy.slice_usdt), asked.policy.shape) == ("p1", "60", "sqrt")  # type: ignore[union-attr]  # a maker's
    assert router.asked == []


@pytest.mark.req("S4-PREV-1")
@pytest.mark.parametrize(
    ("twap", "field"),
    [
        ({"slice_usdt": 60, "slices": 3}, "exec_policy.twap.slice_usdt"),
        ({"curve": "cube"}, "exec_policy.twap.curve"),
    ],
)
async def test_a_preview_refuses_what_an_order_would(
    twap: dict[str, object], field: str, client: httpx2.AsyncClient, router: FakeRouter
) -> None:
    wrong = ORDER | {"exec_policy": {"type": "MakerThenTaker", "twap": twap}}
    for path in ("/orders/preview", "/orders"):
        answer = await client.post(path, json=wrong)
        assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert (router.previews, router.asked) == ([], [])


@pytest.mark.parametrize("hand", ["pause", "resume", "finish"])
async def test_a_hand_on_an_order_answers_with_the_order(
    hand: str, client: httpx2.AsyncClient, router: FakeRouter
) -> None:
    await client.post("/orders", json=ORDER)
    name = router.asked[0][0].client_order_id

    answer = await client.post(f"/orders/{name}/{hand}")
    unknown = await client.post(f"/orders/nobody/{hand}")

    assert (answer.status_code, answer.json()["client_order_id"]) == (200, name)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "NOT_FOUND")
    assert router.steered == [(name, hand), ("nobody", hand)]
