"""Files to download."""

from django.http import HttpResponse

from accounts.lib import chains

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": chains.MEDIA_TYPE}


def attachment(content: bytes, name: str, format: str) -> HttpResponse:
    """The file `name`, as `csv` or `jsonl`."""
    disposition = f'attachment; filename="{name}.{format}"'
    return HttpResponse(content, content_type=MEDIA_TYPES[format], headers={"Content-Disposition": disposition})
