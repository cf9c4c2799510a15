"""JSON in and out, with exact numbers. DRF finds these classes by their dotted names in the settings."""

from collections.abc import Mapping
from typing import Any

from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

from accounts.lib import exact_json

_encoder = JSONEncoder()


class JSONParser(BaseParser):
    """Strict JSON: numbers with a decimal point become Decimals, never floats. NaN and infinity are refused."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        try:
            return exact_json.loads(stream.read())
        except exact_json.InvalidJson as error:
            raise exceptions.ParseError(f"The body is {error}.") from error


class JSONRenderer(BaseRenderer):
    """JSON that writes a Decimal digit by digit, never through a float."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if data is None:
            return b""
        dumps = exact_json.dumps_few if type(data) is dict else exact_json.dumps
        return dumps(data, default=_encoder.default).encode("utf-8", "backslashreplace")


class JSONOnly(BaseContentNegotiation):
    """The answer is JSON whatever `Accept` says. A body must have a JSON content type, or we answer 415.

    A view's `media_types` names further content types that it reads as JSON, such as CloudEvents'.
    """

    def select_parser(self, request: Request, parsers: Any) -> Any:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        others = getattr((request.parser_context or {}).get("view"), "media_types", ())
        return next((parser for parser in parsers if parser.media_type == media_type or media_type in others), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type
