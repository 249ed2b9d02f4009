"""The alerts service's bodies and answers as models: what OpenAPI shows, and what a body is read against."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

NOTE_MOST = 500


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AckBody(_Body):
    """``by`` counts where nobody is asked who they are; elsewhere the token's name does."""

    by: str = Field("", max_length=64)
    note: str = Field("", max_length=NOTE_MOST)


class ResolveBody(AckBody):
    force: bool = Field(False, description="also a level that its service still calls standing")


class TestBody(_Body):
    """Nothing is asked."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class MarkShown(_Answer):
    by: str
    at_ms: int
    note: str


class ToldShown(_Answer):
    what: Literal["OPENED", "REMINDER", "RESOLVED"]
    at_ms: int


class TicketShown(_Answer):
    id: str
    state: Literal["OPEN", "ACKNOWLEDGED", "RESOLVED"]
    severity: Literal["INFO", "WARN", "ERROR", "FATAL"] = Field(description="the worst so far")
    code: str
    subject: str
    service: str
    account_id: str
    text: str
    since_ms: int
    last_ms: int
    count: int
    lasts: bool = Field(description="a level: its service will tell its end")
    dedupe: str
    runbook: str
    acknowledged: MarkShown | None
    resolved: MarkShown | None
    told: dict[str, ToldShown] = Field(description="by channel")


class CountsShown(_Answer):
    open: int
    acknowledged: int


class AlertsResponse(_Answer):
    alerts: list[TicketShown]
    counts: CountsShown
    worst: Literal["INFO", "WARN", "ERROR", "FATAL"] | None


class TestedShown(_Answer):
    channel: str
    ok: bool
    detail: str
    ms: int


class TestResponse(_Answer):
    channels: list[TestedShown]


class AlertsHealth(_Answer):
    status: Literal["ok", "degraded"]


class AlertsReady(_Answer):
    ready: bool


BODIES = (AckBody, ResolveBody, TestBody)
