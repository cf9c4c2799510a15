"""The API's schema, and the page that renders it with Swagger UI, which is in a wheel: no other server is needed."""

from functools import cache
from threading import Lock
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

_making = Lock()


class SchemaView(SpectacularJSONAPIView):
    """The schema is the same for every caller, so a process makes it once."""

    throttle_classes = ()

    def _get_schema_response(self, request: Any) -> HttpResponse:
        with _making:
            return HttpResponse(_document(), content_type=OpenApiJsonRenderer.media_type)


@cache
def _document() -> bytes:
    schema = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return bytes(OpenApiJsonRenderer().render(schema))


@method_decorator(csp_update({"img-src": [SELF, "data:"]}), name="dispatch")
class SwaggerView(SpectacularSwaggerSplitView):
    template_name = "api_docs.html"
    throttle_classes = ()
