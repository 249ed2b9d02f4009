"""The rules page as its reader would use it: each block run on S3, each output compared."""

import pytest

from proofs.de_4 import prove

pytestmark = pytest.mark.slow

SPOILT = """```json rule
{"rule_id": "R", "priority": 1, "applies": {"symbols": ["*"]}, "when": {"f": "atr", "op": "~", "v": 0},
 "action": {"type": "skip_entry"}, "status": "ENABLED"}
```
```console
$ chimera bundle rollback --why "nothing was before"
revision ...  ROLLBACK
$ chimera decide BTCUSDT --side buy --dry-run
open BTCUSDT: R-023 fired: BUY 0.999 BTCUSDT at about 65801
...
...
```
```sh
true
```
```json rule
{
```
"""


@pytest.mark.req("DE-4")
def test_every_block_of_the_rules_page_does_what_the_page_says() -> None:
    found = prove()

    assert found.passed, found.measured


def test_a_page_that_is_not_so_is_found_out() -> None:
    """A rule that lint refuses, a command that fails, another number, a block that nobody runs, no JSON."""
    found = prove(SPOILT)

    assert not found.passed
    assert isinstance(found.measured, dict)
    faults = found.measured["faults"]
    for line, word in (
        ("1", "lint says"),
        ("6", "exit 4"),
        ("8", "the page has"),
        ("13", "nobody runs"),
        ("16", "JSON"),
    ):
        assert any(fault.startswith(f"line {line}:") and word in fault for fault in faults), (line, faults)
