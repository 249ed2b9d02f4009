"""``answers.py URL``: exit 0 where it answers 200 within three seconds; for a health check without a shell or curl."""

import sys
from http.client import HTTPConnection
from typing import Final
from urllib.parse import urlsplit

WITHIN_S: Final = 3.0


def answers(url: str) -> bool:
    """Whether a plain HTTP address answers 200."""
    asked = urlsplit(url)
    connection = HTTPConnection(asked.hostname or "", asked.port, timeout=WITHIN_S)
    try:
        connection.request("GET", asked.path or "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1]) else 1)
