"""The settings of each service that reads its environment: listed by ``--help``, and where each value comes from."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand

from chimera.cli.codes import Exit, Stop, ended_well
from chimera.cli.options import Json

if TYPE_CHECKING:
    from typer._click.core import Context
    from typer._click.formatting import HelpFormatter

SERVICES: Final = ("s3", "s4", "alerts")
HIDDEN: Final = "***"
_OF_VERB: Final = {"serve": "alerts"}  # ``chimera alerts serve``

app = typer.Typer(no_args_is_help=True, help="What the services are set to.", rich_markup_mode=None)


class Setting(NamedTuple):
    """``source``: default, environment, or file and its path."""

    service: str
    variable: str
    value: str
    default: str
    unit: str
    source: str
    says: str


class Explained(TyperCommand):
    """A service's verb, whose ``--help`` ends with its settings; they are read when somebody asks."""

    def format_epilog(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        super().format_epilog(ctx, formatter)
        rows = described(_OF_VERB.get(self.name or "", self.name or ""))
        with formatter.section("Settings, from the environment"):
            formatter.write_dl([(name, f"{says} [{unit}; default: {default}]") for name, default, unit, says in rows])


def described(service: str) -> list[tuple[str, str, str, str]]:
    """(variable, default, unit, sentence) of each setting."""
    match service:
        case "s3":
            from chimera.services.strategy.settings import describe
        case "s4":
            from chimera.services.router.settings import describe
        case _:
            from chimera.services.alerts.settings import describe
    return describe()


@app.command()
def show(
    service: Annotated[str, typer.Argument(metavar="[SERVICE]", help="s3, s4 or alerts; default: all.")] = "",
    sources: Annotated[
        bool, typer.Option("--sources", help="Also the default, and where the value comes from.")
    ] = False,
    set_alone: Annotated[bool, typer.Option("--set", help="Only what is not left at its default.")] = False,
    as_json: Json = False,
) -> None:
    """Each setting as a start in this environment would read it. Secrets are never shown."""
    with ended_well(as_json=as_json):
        import json

        if service and service not in SERVICES:
            raise Stop(Exit.USAGE, f"{service} reads no settings here; there are {', '.join(SERVICES)}")
        rows = [row for name in ((service,) if service else SERVICES) for row in read(name, os.environ)]
        if set_alone:
            rows = [row for row in rows if row.source != "default"]
        if as_json:
            print(json.dumps({"settings": [row._asdict() for row in rows]}))
            return
        for row in rows:
            whence = f"  [{row.unit}; default {row.default}; from {row.source}]" if sources else ""
            print(f"{row.variable} = {row.value}{whence}")


def read(service: str, environ: Mapping[str, str]) -> list[Setting]:
    """Raises what the service's start would raise."""
    values = _values(service, environ)
    return [
        Setting(service, name, *_value(name, default, unit, values, environ), says)
        for name, default, unit, says in described(service)
    ]


def _value(
    name: str, default: str, unit: str, values: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[str, str, str, str]:
    from chimera.services.setting_kinds import shown

    if unit == "secret":
        path = environ.get(f"{name}_FILE")
        given = bool(environ.get(name) or path)
        return (HIDDEN if given else "unset", default, unit, _source(name, environ))
    if not environ.get(name):
        return (default, default, unit, "default")
    return (environ[name] if unit.startswith("duration") else shown(values[name]), default, unit, "environment")


def _source(name: str, environ: Mapping[str, str]) -> str:
    path = environ.get(f"{name}_FILE")
    if path:
        return f"file {path}"
    return "environment" if environ.get(name) else "default"


def _values(service: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """By variable, as the service would have them."""
    match service:
        case "s3":
            from chimera.services.strategy.settings import read_settings, variable

            strategy = read_settings(environ)
            return {variable(name): getattr(strategy, name) for name in type(strategy).model_fields}
        case "s4":
            from chimera.services.router.settings import load

            router = load(environ)
            return {str(f.validation_alias): getattr(router, name) for name, f in type(router).model_fields.items()}
        case _:
            from chimera.services.alerts.settings import read_settings as read_alerts

            alerts = read_alerts(environ)
            return {str(f.validation_alias): getattr(alerts, name) for name, f in type(alerts).model_fields.items()}
