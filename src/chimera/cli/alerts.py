"""``chimera alerts``: what stands, deeds on it, and the process that keeps and sends (``serve``)."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from chimera.cli.codes import Exit, Stop, ended_well
from chimera.cli.options import ALERTS_URL, Alerts, Json
from chimera.cli.settings_told import Explained

if TYPE_CHECKING:
    from chimera.client import AlertsClient

app = typer.Typer(
    help="What somebody should know: list, acknowledge, resolve, test the channels; and the process that sends.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

STATES: Final = ("standing", "open", "acknowledged", "resolved", "all")

Name = Annotated[str, typer.Argument(metavar="ID", help="Of `chimera alerts list`.")]
Note = Annotated[str, typer.Option(help="Why; it stays with the alert.")]


@app.command("list")
def listed(
    state: Annotated[str, typer.Option(help="standing (not over), open, acknowledged, resolved or all.")] = "standing",
    newest: Annotated[int, typer.Option(min=1, max=1_000, help="How many.")] = 100,
    alerts: Alerts = ALERTS_URL,
    as_json: Json = False,
) -> None:
    """Alerts, worst first; of those that are over, newest first."""
    with ended_well(as_json=as_json):
        from chimera.cli.asking import changing_nothing
        from chimera.cli.orders import print_json

        if state not in STATES:
            raise Stop(Exit.USAGE, f"no state is named {state}; there are {', '.join(STATES)}")
        with changing_nothing():
            answer = _asked(alerts, lambda client: client.alerts(state, newest))
        if as_json:
            print_json(answer)
        else:
            print("\n".join(map(_line, answer["alerts"])) or "no alert is " + state)


@app.command()
def show(name: Name, alerts: Alerts = ALERTS_URL, as_json: Json = False) -> None:
    """One alert with all that is known of it."""
    with ended_well(as_json=as_json):
        from chimera.cli.asking import changing_nothing

        with changing_nothing():
            _tell(_asked(alerts, lambda client: client.alert(name)), as_json)


@app.command()
def ack(name: Name, note: Note = "", alerts: Alerts = ALERTS_URL, as_json: Json = False) -> None:
    """Say that you look at it: nobody is reminded any more, and it stands until it is over."""
    with ended_well(as_json=as_json):
        from chimera.cli.orders import me

        _tell(_asked(alerts, lambda client: client.acknowledge(name, by=me(), note=note)), as_json)


@app.command()
def resolve(
    name: Name,
    note: Note = "",
    force: Annotated[bool, typer.Option("--force", help="Also one that its service still calls standing.")] = False,
    alerts: Alerts = ALERTS_URL,
    as_json: Json = False,
) -> None:
    """Say that it is over. A level ends by itself: acknowledge that."""
    with ended_well(as_json=as_json):
        from chimera.cli.orders import me

        _tell(_asked(alerts, lambda client: client.resolve(name, by=me(), note=note, force=force)), as_json)


@app.command("test")
def try_channels(alerts: Alerts = ALERTS_URL, as_json: Json = False) -> None:
    """Send a message to every channel now. Exit code 1 where one did not take it, or none is set."""
    with ended_well(as_json=as_json):
        from chimera.cli.orders import print_json
        from chimera.client.alerts import TEST_MS

        answer = _asked(alerts, lambda client: client.test(), timeout_ms=TEST_MS)
        channels = answer["channels"]
        if as_json:
            print_json(answer)
        else:
            for each in channels:
                print(f"{each['channel']} {'took it' if each['ok'] else 'did NOT take it'}: {each['detail']}")
        if not channels:
            raise Stop(Exit.FAILED, "no channel is set: ALERTS_WEBHOOK_URL or ALERTS_TELEGRAM_CHAT (docs/settings.md)")
        if bad := [each["channel"] for each in channels if not each["ok"]]:
            raise Stop(Exit.FAILED, f"not delivered: {', '.join(bad)}")


@app.command(cls=Explained)
def serve() -> None:
    """The process that keeps the alerts and sends them; its settings are the ALERTS_ variables."""
    with ended_well():
        from chimera.cli import services

        services.alerts()


def _asked(url: str, ask: "Callable[[AlertsClient], Awaitable[Any]]", *, timeout_ms: int | None = None) -> Any:
    from chimera.cli.asking import asked_of
    from chimera.client import AlertsClient

    return asked_of(AlertsClient(url, timeout_ms=timeout_ms), ask)


def _tell(row: Mapping[str, Any], as_json: bool) -> None:
    from chimera.cli.orders import print_json

    if as_json:
        print_json(row)
    else:
        print("\n".join(_whole(row)))


def _line(row: Mapping[str, Any]) -> str:
    from chimera.cli.told import clock

    often = f" x{row['count']}" if row["count"] > 1 else ""
    state = "" if row["state"] == "OPEN" else f" {str(row['state']).lower()}"
    where = f"{row['code']} {row['subject']}".rstrip()
    return f"{row['id']} {row['severity']:5} {where}{often}{state} since {clock(row['since_ms'])}: {row['text']}"


def _whole(row: Mapping[str, Any]) -> Iterator[str]:
    from chimera.cli.told import clock

    yield _line(row)
    yield f"  {row['service']}, last {clock(row['last_ms'])}" + (", its end will be told" if row["lasts"] else "")
    if row["runbook"]:
        yield f"  docs/{row['runbook']}"
    for word in ("acknowledged", "resolved"):
        if mark := row[word]:
            note = f": {mark['note']}" if mark["note"] else ""
            yield f"  {word} by {mark['by']} {clock(mark['at_ms'])}{note}"
    for channel, told in row["told"].items():
        yield f"  {channel} was told {str(told['what']).lower()} {clock(told['at_ms'])}"
