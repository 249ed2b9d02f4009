"""``chimera sli``: the service levels of every service that answers, what was measured of each and what is promised."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from chimera.cli.codes import Exit, Stop, ended_well
from chimera.cli.options import S3, S3_URL, S4, S4_URL, Json

Feed = Annotated[
    str | None, typer.Option("--feed", envvar="CHIMERA_FEED_URL", help="Where the feed answers, if it has a port.")
]
_MARKS: Final = {True: "ok    ", False: "BROKEN", None: "-     "}


def sli(s3: S3 = S3_URL, s4: S4 = S4_URL, feed: Feed = None, as_json: Json = False) -> None:
    """The service levels: what is measured, what is promised. Exit code 1 where one is broken."""
    with ended_well(as_json=as_json):
        import json

        from chimera.cli.asking import answer_to

        asked = {"s3": s3, "s4": s4, **({"feed": feed} if feed else {})}
        rows, away = answer_to(_look(asked))
        if len(away) == len(asked):
            raise Stop(Exit.UNREACHABLE, f"no service answers: {'; '.join(away.values())}")
        if as_json:
            print(json.dumps({"levels": rows, "away": away}))
        else:
            for row in rows:
                print(_told(row))
            for name, why in away.items():
                print(f"?      {name} does not answer: {why}")
        if broken := [row["sli"] for row in rows if row["met"] is False]:
            raise Stop(Exit.FAILED, f"broken: {', '.join(broken)}")


async def _look(asked: Mapping[str, str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """A row for each level, and by name whoever does not answer. Raises ``Refused`` for a token that may not read."""
    from chimera.client.acting import service_at
    from chimera.trading.errors import NotSent, OutcomeUnknown

    rows: list[dict[str, Any]] = []
    away: dict[str, str] = {}
    for name, url in asked.items():
        http = service_at(url)
        try:
            rows += _rows(name, (await http.get("/metrics")).decode())
        except (NotSent, OutcomeUnknown) as error:  # a question: nothing can have happened
            away[name] = str(error)
        finally:
            await http.close()
    return rows, away


def _rows(service: str, page: str) -> list[dict[str, Any]]:
    from prometheus_client.parser import text_string_to_metric_families

    from chimera.services.objectives import OBJECTIVES

    values = {
        (sample.name, sample.labels["sli"]): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if "sli" in sample.labels
    }
    return [
        {
            "sli": each.sli,
            "service": service,
            "says": each.says,
            "value": values.get(("sli_value", each.sli)),
            "unit": each.unit,
            "promise": each.promise,
            "met": None if ("sli_met", each.sli) not in values else values["sli_met", each.sli] == 1,
            "code": each.code,
        }
        for each in OBJECTIVES
        if ("sli_objective", each.sli) in values
    ]


def _told(row: Mapping[str, Any]) -> str:
    value = "nothing measured" if row["value"] is None else f"{row['value']:g} {row['unit']}".rstrip()
    return f"{_MARKS[row['met']]} {row['sli']:15} {value:>16}, {row['promise']}: {row['says']}"
