"""S3 and S4 as they are served over TLS, by the files that their settings name; and how long S3 waits for an answer."""

import ssl
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from certificates import Pair, a_pair
from relay import relay
from whole_house import SYMBOL, WholeHouse, whole_house

pytestmark = [pytest.mark.slow, pytest.mark.req("CONF-1", "OP-2")]

WISH: Final = {"symbol": SYMBOL, "market": "SPOT", "sideHint": "BUY"}


def faced(service: str, pair: Pair, ca: Pair) -> dict[str, str]:
    return {
        f"{service}_TLS_CERT_PATH": str(pair.cert), f"{service}_TLS_KEY_PATH": str(pair.key),
        f"{service}_TLS_CLIENT_CA_PATH": str(ca.cert),
    }  # fmt: skip


async def test_both_answer_over_tls_and_s3_reaches_s4_by_its_files_and_within_its_time(tmp_path: Path) -> None:
    ca = a_pair(tmp_path, "ca")
    s3, s4, me = (a_pair(tmp_path, name, ca) for name in ("s3", "s4", "me"))
    trust = ssl.create_default_context(cafile=str(ca.cert))
    stranger = ssl.create_default_context(cafile=str(ca.cert))
    trust.load_cert_chain(me.cert, me.key)
    houses: list[WholeHouse] = []
    async with relay(lambda: int(houses[0].s4.rpartition(":")[2])) as between:
        to_s4 = {
            "S3_S4_URL": f"https://127.0.0.1:{between.port}", "S3_S4_CA_PATH": str(ca.cert), "S3_TRACKS": "rest",
            "S3_S4_CERT_PATH": str(s3.cert), "S3_S4_CERT_KEY_PATH": str(s3.key), "S3_S4_TIMEOUT_MS": "700",
        }  # fmt: skip
        async with whole_house(
            tmp_path, faced("S4", s4, ca), to_s4 | faced("S3", s3, ca), tls=trust, begun=houses.append
        ) as house:
            await house.until(
                lambda: house.ask("POST", "/decide", WISH | {"dry_run": True}, at=house.s3),
                lambda told: told[1]["decision"] == "open",
            )
            between.let.clear()
            _, decided = await house.ask("POST", "/decide", WISH, at=house.s3)
            alerts = await house.until(lambda: house.stream("alerts"), lambda told: "PUBLISH_FAILED" in codes(told))
            between.let.set()
            row = await house.until(
                lambda: house.order(decided["intent"]["client_order_id"]), lambda row: row.get("result") == "OK"
            )
            refused = [await asked(url, stranger) for url in (house.s3, house.s4)]

    failed = next(each["text"] for each in alerts if each["code"] == "PUBLISH_FAILED")
    assert "was not answered in 700 ms" in failed
    assert row["qty"] == decided["intent"]["qty"]
    assert refused == [None, None], "who shows no certificate of the CA gets no answer"


def codes(alerts: list[dict[str, Any]]) -> list[str]:
    return [alert["code"] for alert in alerts]


async def asked(url: str, context: ssl.SSLContext) -> int | None:
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(f"{url}/health", ssl=context) as answer:
                return answer.status
        except aiohttp.ClientError:
            return None
