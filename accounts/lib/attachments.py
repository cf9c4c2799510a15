"""Files to download."""

from collections.abc import Iterable

from django.http import HttpResponse, StreamingHttpResponse

from accounts.lib import chains

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": chains.MEDIA_TYPE}


def attachment(content: bytes, name: str, format: str) -> HttpResponse:
    """The file `name`, as `csv` or `jsonl`."""
    disposition = f'attachment; filename="{name}.{format}"'
    return HttpResponse(content, content_type=MEDIA_TYPES[format], headers={"Content-Disposition": disposition})


def archive(length: int, parts: Iterable[bytes], name: str) -> StreamingHttpResponse:
    """A ZIP, sent as it is read."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"', "Content-Length": str(length)}
    return StreamingHttpResponse(parts, content_type="application/zip", headers=headers)
