"""What the code of this build knows and serves: settings and commands by their names, paths that answer."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import typer.main

from chimera.cli.main import app
from chimera.services.access.table import ENDPOINTS, Role
from chimera.services.alerts.http import build_app as alerts_app
from chimera.services.alerts.settings import AlertsSettings
from chimera.services.clock import SystemClock
from chimera.services.console.app import build_app as console_app
from chimera.services.feed.face import build_app as feed_app
from chimera.services.router.http import build_app as router_app
from chimera.services.router.settings import RouterSettings, describe, load
from chimera.services.service import Service
from chimera.services.strategy.http import build_app as strategy_app
from chimera.services.strategy.settings import StrategySettings, variable

S3_SECRETS: Final = {"S3_DB_ARANGO_PASS"}
S4_SECRETS: Final = {name for name, _, unit, _ in describe() if unit == "secret"}
KEY_FILES: Final = {"S4_BINANCE_KEY_FILE", "S4_BINANCE_SECRET_FILE"}
ALERTS_FILES: Final = {"ALERTS_WEBHOOK_SECRET_FILE", "ALERTS_TELEGRAM_TOKEN_FILE"}
NOBODY: Final = cast("Any", None)


def s3_defaults() -> dict[str, object]:
    return {variable(name): field.default for name, field in StrategySettings.model_fields.items()}


def s4_defaults() -> dict[str, object]:
    return {str(field.validation_alias): field.default for field in RouterSettings.model_fields.values()}


def alerts_defaults() -> dict[str, object]:
    return {str(field.validation_alias): field.default for field in AlertsSettings.model_fields.values()}


def options(verb: str) -> dict[str, str]:
    """The variables that a command reads for itself, by its option."""
    return _of(cast("Any", typer.main.get_command(app)).commands[verb])


def program() -> dict[str, str]:
    """The variables that every command reads: who asks."""
    return _of(typer.main.get_command(app))


def _of(command: Any) -> dict[str, str]:
    return {each.envvar: each.name for each in command.params if isinstance(each.envvar, str)}


def verbs(group: str = "") -> set[str]:
    command = cast("Any", typer.main.get_command(app))
    return set((command.commands[group] if group else command).commands)


def asked_of_nobody(service: str) -> set[str]:
    """Paths that need no token: a probe has none."""
    if service == "feed":  # it answers on loopback alone, and knows no tokens
        return paths("feed")
    rows = (each for each in ENDPOINTS if each.service is Service(service) and each.least is Role.NOBODY)
    return {each.path for each in rows}


def variables(verb: str) -> set[str]:
    """Every variable that a command's process may be given."""
    if verb == "bundle":
        return {"CHIMERA_S3_URL", *program()}
    own = {*options(verb), *program()}
    match verb:
        case "s3":
            return own | set(s3_defaults())
        case "s4":
            return own | set(s4_defaults()) | {f"{name}_FILE" for name in S4_SECRETS}
        case "alerts":
            return own | set(alerts_defaults())
        case "init":
            return variables("s3")
        case _:
            return own


def paths(service: str) -> set[str]:
    """What it answers to GET."""
    apps = {
        "s3": lambda: strategy_app(NOBODY),
        "s4": lambda: router_app(NOBODY, clock=NOBODY),
        "feed": lambda: feed_app({}),
        "alerts": lambda: alerts_app(NOBODY, NOBODY, NOBODY),
        "console": lambda: console_app(
            router=NOBODY, strategy=NOBODY, explain=NOBODY, bundles=NOBODY, bus=NOBODY, clock=SystemClock()
        ),
    }
    return {str(path) for path in _gets(apps[service]().routes)}


def _gets(routes: list[Any]) -> Iterator[str]:
    for route in routes:
        if "GET" in (getattr(route, "methods", None) or ()):
            yield route.path


def s4_settings(environ: dict[str, str], folder: Path) -> RouterSettings:
    """As S4 reads them, with a key in each file that is named."""
    given = dict(environ)
    for name in KEY_FILES & set(given):
        path = folder / Path(given[name]).name
        path.write_text("k" * 64, encoding="utf-8")
        os.chmod(path, 0o400)
        given[name] = str(path)
    return load(given)


def key_paths(environ: Mapping[str, str]) -> dict[str, str]:
    """The files of tokens and keys that a process is told of."""
    ends = ("_TOKENS_PATH", "_TOKEN_PATH", "_KEY_FILE", "_SECRET_FILE", "_TOKEN_FILE")
    return {name: path for name, path in environ.items() if name.endswith(ends) and path}
