"""Options that several verbs have in common, and where S3 and S4 answer unless one is given."""

from typing import Annotated, Final

import typer

S3_URL: Final = "http://127.0.0.1:8083"
S4_URL: Final = "http://127.0.0.1:8084"
ALERTS_URL: Final = "http://127.0.0.1:8090"

Side = Annotated[str, typer.Argument(help="BUY or SELL.")]
Qty = Annotated[str, typer.Argument(help="Base asset, plain digits.")]
StopAt = Annotated[str | None, typer.Option("--sl", help="Stop price; default: S4's default distance.")]
TargetAt = Annotated[str | None, typer.Option("--tp", help="Target price.")]
Maker = Annotated[bool, typer.Option("--maker", help="Rest as a maker first, then take.")]
ReduceOnly = Annotated[bool, typer.Option("--reduce-only")]
Leverage = Annotated[int, typer.Option(min=1, max=125)]

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
S3 = Annotated[str, typer.Option("--s3", envvar="CHIMERA_S3_URL", help="Where S3 answers.")]
Alerts = Annotated[str, typer.Option("--alerts", envvar="CHIMERA_ALERTS_URL", help="Where the alerts answer.")]
S4 = Annotated[
    str, typer.Option("--s4", envvar="CHIMERA_S4_URL", help="Where S4 answers; each of several routers, with commas.")
]
