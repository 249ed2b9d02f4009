"""One Chromium for all the pages of a run."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address, for ``real_browser.opened``."""
    from real_browser import started  # noqa: PLC0415 - without playwright only who asks for it is skipped

    with started(tmp_path_factory.mktemp("chromium")) as address:
        yield address
