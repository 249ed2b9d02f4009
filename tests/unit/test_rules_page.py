"""What ``make proof ID=DE-4`` looks for: a block that nobody runs, an output that is not the page's."""

import pytest

from proofs.de_4 import PAGE, WORKED, blocks, commands, like

KINDS = ("json rule", "console")
CONSOLE = """Text.

```console
$ chimera one
$ chimera two
printed ... here

last
```

```
nobody's
```
"""


@pytest.mark.req("DE-4")
def test_every_block_of_the_page_is_of_a_kind_that_is_run() -> None:
    kinds = [block.kind for block in blocks(PAGE.read_text("utf-8"))]

    assert set(WORKED) <= {kind.removeprefix("json ") for kind in kinds}
    assert all(kind in KINDS or kind.endswith(".json") for kind in kinds)
    assert PAGE.read_text("utf-8").count("```") == 2 * len(kinds)


def test_blocks_and_commands_are_read_with_their_lines() -> None:
    console, nobodys = blocks(CONSOLE)

    assert [(command.line, command.words, command.prints) for command in commands(console)] == [
        (4, "chimera one", []),
        (5, "chimera two", ["printed ... here", "", "last"]),
    ]
    assert (nobodys.line, nobodys.kind) == (11, "")


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("revision 7  ACTIVATE b; loaded", "revision ...  ACTIVATE b; loaded", True),
        ("revision 7  ACTIVATE c; loaded", "revision ...  ACTIVATE b; loaded", False),
        ("BUY 0.008", "BUY 0.007", False),
        ("BUY 0.008 more", "BUY 0.008", False),
        ("{}", "{...}", True),
        ("", "", True),
        ("a.b", "a?b", False),
    ],
)
def test_a_line_is_the_pages_but_for_dots(printed: str, shown: str, same: bool) -> None:
    assert like(printed, shown) is same
