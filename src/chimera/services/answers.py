"""The response of every HTTP face that shows rows: ``wire.answers`` decides how amounts look."""

from typing import Any

from fastapi.responses import JSONResponse

from chimera.wire.answers import encode_answer


class Answer(JSONResponse):
    """JSON with amounts as numbers of exact digits."""

    def render(self, content: Any) -> bytes:
        return encode_answer(content)
