"""``chimera faults``: what can go wrong, and make it go wrong in a simulator that runs.

``list`` needs no simulator unless it is asked what is armed; the other verbs speak to its control API.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from chimera.cli.codes import ended_well
from chimera.cli.options import Json

SIM_URL: Final = "http://127.0.0.1:9020"
_TIMEOUT_S: Final = 5

app = typer.Typer(
    help="What can go wrong at the simulated exchange: list it, arm it, clear it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Sim = Annotated[str, typer.Option("--sim", envvar="CHIMERA_SIM_URL", help="Where the simulator answers.")]
Pairs = Annotated[list[str] | None, typer.Argument(metavar="[PARAM=VALUE]...", help="As `list` tells them.")]
Aims = Annotated[
    list[str] | None, typer.Option("--match", metavar="FIELD=GLOB", help="At what: method, path, symbol, account, ...")
]


@app.command("list")
def list_faults(
    armed: Annotated[bool, typer.Option("--armed", help="Ask the simulator what is armed.")] = False,
    sim: Sim = SIM_URL,
    as_json: Json = False,
) -> None:
    """Every fault there is; with --armed those at work."""
    with ended_well(as_json=as_json):
        if armed:
            told = _ask(sim, "GET", "/sim/faults")
            rows = told["armed"]
            lines = _armed_lines(rows)
        else:
            from chimera.simulate.trouble.catalogue import CATALOGUE

            rows = [_plain(entry) for entry in CATALOGUE.values()]
            lines = _catalogue_lines(rows)
        print(json.dumps(rows) if as_json else "\n".join(lines))


@app.command()
def arm(
    name: str,
    params: Pairs = None,
    match: Aims = None,
    count: Annotated[int | None, typer.Option(min=1, help="At most so often.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Every so many of what fits.")] = 1,
    chance: Annotated[str, typer.Option(help="0 to 1, by the scenario's seed.")] = "1",
    from_ms: Annotated[int, typer.Option(min=0, help="Begin so long from now.")] = 0,
    to_ms: Annotated[int | None, typer.Option(min=1, help="End so long from now.")] = None,
    fault_id: Annotated[str, typer.Option("--id", help="Yours, to clear it by.")] = "",
    sim: Sim = SIM_URL,
    as_json: Json = False,
) -> None:
    """Make it happen, from now on."""
    with ended_well(as_json=as_json):
        body = {
            "name": name,
            "id": fault_id,
            "params": {key: _value(text) for key, text in _pairs(params or []).items()},
            "match": _pairs(match or []),
            "when": {"from_ms": from_ms, "to_ms": to_ms},
            "count": count,
            "every": every,
            "chance": chance,
        }
        told = _ask(sim, "POST", "/sim/faults", body)
        print(json.dumps(told) if as_json else "armed " + ", ".join(told["ids"]))


@app.command()
def clear(
    fault_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Default: all.")] = None,
    sim: Sim = SIM_URL,
    as_json: Json = False,
) -> None:
    """Let it be over."""
    with ended_well(as_json=as_json):
        from urllib.parse import quote

        path = "/sim/faults" if fault_id is None else f"/sim/faults?id={quote(fault_id)}"
        told = _ask(sim, "DELETE", path)
        print(json.dumps(told) if as_json else "cleared " + (", ".join(told["cleared"]) or "nothing: none was armed"))


@app.command()
def play(
    path: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="JSON or TOML.")],
    sim: Sim = SIM_URL,
    as_json: Json = False,
) -> None:
    """Begin a scenario in the place of what is armed."""
    with ended_well(as_json=as_json):
        from chimera.services.simulator.scenario_file import load
        from chimera.wire.codec import plain

        told = _ask(sim, "POST", "/sim/scenario", plain(load(path)))
        print(json.dumps(told) if as_json else f"began {told['name'] or path.name}: {len(told['ids'])} faults")


def _ask(sim: str, method: str, path: str, body: Any = None) -> Any:
    """The simulator's answer. Raises ``Refused`` with its words, ``NotSent`` where nothing answers."""
    import asyncio

    import aiohttp

    from chimera.trading.errors import NotSent, OutcomeUnknown, Refused

    async def ask() -> tuple[int, Any]:
        wait = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=wait) as session:
            try:
                async with session.request(method, sim.rstrip("/") + path, json=body) as answer:
                    return answer.status, await answer.json(content_type=None)
            except aiohttp.ClientConnectorError as error:
                raise NotSent(f"no simulator answers at {sim} ({error.strerror or error})") from error
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                raise OutcomeUnknown(f"{method} {path} at {sim}: {error!r}") from error

    status, told = asyncio.run(ask())
    if status != 200:
        about = {name: told.get(name) for name in ("field", "value", "accepted")}
        raise Refused("SIMULATOR", str(told.get("msg")), **about)
    return told


def _pairs(words: list[str]) -> dict[str, str]:
    from chimera.trading.errors import Refused

    out = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise Refused("FAULT", "this is no pair", field="parameter", value=word, accepted="NAME=VALUE")
        out[name] = value
    return out


def _value(text: str) -> object:
    """A number or a flag where the text is one."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.removeprefix("-").isdigit() else text


def _plain(entry: Any) -> dict[str, Any]:
    from chimera.wire.codec import plain

    told: dict[str, Any] = plain(entry)
    return told


def _catalogue_lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        yield f"{row['name']:{width}}  {row['does']}"
        yield f"{'':{width}}  on a {row['on']}; seen: {row['seen']}"
        for param in row.get("params", ()):
            words = f" ({' | '.join(param['words'])})" if param.get("words") else ""
            yield f"{'':{width}}    {param['name']}={_told(param['default'])}  {param['what']}{words}"


def _armed_lines(rows: list[Mapping[str, Any]]) -> Iterator[str]:
    if not rows:
        yield "none is armed"
    for row in rows:
        pairs = {**row["params"], **{f"match.{name}": value for name, value in row["match"].items()}}
        told = " ".join(f"{name}={_told(value)}" for name, value in pairs.items())
        state = "active" if row["active"] else "not now"
        yield f"{row['id']}  {state}, struck {row['struck']} of {row['seen']} seen  {told}"


def _told(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
