"""See to the programs of the machine that some tests use (``make test``). Standard library only.

``redis-server`` is a second opinion beside our embedded one, ``chromium`` shows the console's page, ``prometheus`` has
promtool, which checks alert rules. They are fetched with apt where we are root; where that fails the tests that need
them are skipped, and both this script and the end of the test run say so. Never fails.
"""

import os
import shutil
import subprocess
import sys

ANOTHER_NAME = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "redis-server": ("redis-server",),
    "prometheus": ("promtool",),
}
TIMEOUT_S = 600


def present(package: str) -> bool:
    return any(shutil.which(name) for name in ANOTHER_NAME.get(package, (package,)))


def apt(*words: str) -> bool:
    """Whether apt-get did it; its own words go to stderr only when it did not."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}  # fetched, not started
    try:
        done = subprocess.run(
            ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=60", *words],
            env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"apt-get {words[0]}: {error}", file=sys.stderr)
        return False
    if done.returncode:
        print("\n".join(done.stderr.strip().splitlines()[-3:]), file=sys.stderr)
    return done.returncode == 0


def main(packages: list[str]) -> int:
    wanted = [package for package in packages if not present(package)]
    if wanted and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"fetching with apt: {' '.join(wanted)}", file=sys.stderr)
        if apt("update"):
            for package in wanted:
                apt("install", "--no-install-recommends", "--yes", package)
    missing = [package for package in wanted if not present(package)]
    if missing:
        print(
            f"SKIPPED LOUDLY: {len(missing)} not on this machine, their tests will be skipped: {' '.join(missing)}",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
