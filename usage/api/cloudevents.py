"""CloudEvents over HTTP: one in a body, or a batch of them. The third way, in headers, is refused with an explanation.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from typing import Any

from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request

from accounts.lib.problems import InvalidField
from usage.metering.parsing import BATCH_LIMIT

JSON = "application/json"
ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
MEDIA_TYPES = (JSON, ONE, BATCH)
SHAPES = {ONE: (dict, "a JSON object: one CloudEvent"), BATCH: (list, "a JSON array of CloudEvents")}
EITHER = (dict, list), "a JSON object, or an array of them"


def media_type(request: Request) -> str:
    """The media type of the body, without parameters. A CloudEvent in headers is a 415 that says what to send."""
    content_type = (request.content_type or "").partition(";")[0].strip().lower()
    if content_type not in SHAPES and "ce-specversion" in request.headers:
        raise UnsupportedMediaType(content_type, f"CloudEvents in binary mode (ce-… headers) are not supported: {ONE}.")
    return content_type


def unpack(body: Any, content_type: str) -> list[Any]:
    """The CloudEvents of a body. A batch may be empty, as the specification has it. Plain JSON may be either."""
    shape, expected = SHAPES.get(content_type, EITHER)
    if not isinstance(body, shape):
        raise InvalidField("", f"Expected {expected}.")
    batch = body if isinstance(body, list) else [body]
    if len(batch) > BATCH_LIMIT:
        raise InvalidField("", f"At most {BATCH_LIMIT} events; there are {len(batch)}.")
    return batch
