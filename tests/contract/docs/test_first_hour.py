"""The reader of ``proofs/op_4.py``: what it compares, keeps, asks again, gives up at; its page has the whole path."""

from pathlib import Path

import pytest

from proofs.op_4 import PAGE, PATH, Reader, in_order, matched

ROOT = Path(__file__).resolve().parents[3]

GOOD = """```sh
there=here
```
```json told.json
{"word": "tulip"}
```
```console
$ cat told.json
{"word": WORD}
$ echo $there and WORD
here and tulip
$ echo "chimera: no"; false
chimera: no
```
"""


def test_what_is_typed_lasts_and_what_was_named_is_typed_again(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    reader.follow(GOOD)

    assert (reader.faults, reader.typed, reader.files) == ([], 3, ["told.json"])


@pytest.mark.parametrize(
    ("page", "said"),
    [("```console\n$ echo 1\n2\n```\n", "prints ['1'], the page has ['2']"),
     ("```console\n$ echo 1; false\n1\n```\n", "exit 1"),
     ("```console\n$ echo chimera: no\nchimera: no\n```\n", "exit 0"),
     ("```text\nx\n```\n", "nobody types a block of kind 'text'")],
)  # fmt: skip
def test_the_first_thing_that_is_not_so_is_told_and_ends_it(tmp_path: Path, page: str, said: str) -> None:
    reader = Reader(tmp_path)
    reader.follow(page + GOOD)

    assert (len(reader.faults), said in reader.faults[0], reader.files) == (1, True, [])


def test_a_line_is_the_page_s_where_all_but_its_gaps_is_the_same() -> None:
    assert matched(["open BTCUSDT: BUY 0.002 at 5"], ["open BTCUSDT: ... at 5"]) == {}
    assert matched(["to arm: arm --confirm 0653c95c"], ["to arm: arm --confirm WORD"]) == {"WORD": "0653c95c"}
    assert matched(["a.b"], ["a?b"]) is None
    assert matched(["one", "two"], ["one"]) is None


@pytest.mark.req("OP-4")
def test_the_page_has_the_whole_path_in_order() -> None:
    page = (ROOT / PAGE).read_text("utf-8")

    assert in_order(page, PATH)
    assert not in_order(page, tuple(reversed(PATH)))
