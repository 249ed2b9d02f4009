"""One thing that ``doctor`` looked at: how it is, and what to do where it is not well."""

from typing import Any, Final, NamedTuple

MARKS: Final = {True: "ok  ", False: "no  ", None: "-   "}
WARNING: Final = "warn"


class Check(NamedTuple):
    """``ok`` None: not tried. ``needed``: a start would fail. ``warns``: it works, and somebody should know."""

    check: str
    ok: bool | None
    text: str
    needed: bool = False
    warns: bool = False
    do: str = ""

    @property
    def line(self) -> str:
        mark = WARNING if self.ok and self.warns else MARKS[self.ok]
        return f"{mark} {self.check}: {self.text}" + (f"\n       do: {self.do}" if self.do else "")

    def row(self) -> dict[str, Any]:
        return self._asdict()
