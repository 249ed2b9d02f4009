"""Keep the table of roles in ``docs/security.md`` as the code has it (``make docs``); a test keeps it current."""

import sys
from pathlib import Path

from chimera.services.access.gate import PROBES
from chimera.services.access.table import ENDPOINTS, KEYS, Role
from chimera.services.service import Service

PAGE = Path(__file__).resolve().parents[1] / "docs" / "security.md"
BEGIN, END = "<!-- roles: tools/security_page.py -->", "<!-- end of roles -->"
NAMES = {
    Service.S4: "S4, the order router",
    Service.S3: "S3, the strategy engine",
    Service.CONSOLE: "The console",
    Service.ALERTS: "The alerts",
}


def table() -> str:
    """A section for each service; what the key of a service may is said in its own column."""
    parts = []
    for service, name in NAMES.items():
        lines = [f"### {name}\n", "| asked | least role | S3's key | counted | in the trail |"]
        lines.append("| --- | --- | --- | --- | --- |")
        for each in (row for row in ENDPOINTS if row.service is service):
            key = "yes" if (service, each.method, each.path) in KEYS["s3"] or each.least is Role.NOBODY else "no"
            least = "nobody is asked" if each.least is Role.NOBODY else each.least.word
            counted = "never" if each.protects or each.path in PROBES else "yes"
            lines.append(f"| `{each.method} {each.path}` | {least} | {key} | {counted} | {each.act or '-'} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def page() -> str:
    told = PAGE.read_text(encoding="utf-8")
    before, _, rest = told.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
