"""The services: whose endpoints, metrics and levels are meant."""

from enum import StrEnum


class Service(StrEnum):
    S3 = "s3"
    S4 = "s4"
    FEED = "feed"
    CONSOLE = "console"
    ALERTS = "alerts"
