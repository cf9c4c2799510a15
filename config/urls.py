from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config.docs import SchemaView, SwaggerView

urlpatterns = [
    path("", include("usage.api.urls")),  # first, since the gateway's doors are what is called most
    path("", include("accounts.api.urls")),
    path("", include("apikeys.api.urls")),
    path("", include("billing.api.urls")),
    path("v1/openapi.json", SchemaView.as_view(), name="schema"),
    path("docs", SwaggerView.as_view(url_name="schema"), name="docs"),
    path("admin/", admin.site.urls),
    path("", include("accounts.pages.urls")),
    path("", include("apikeys.pages.doors")),
    path("", include("apikeys.pages.urls")),
    path("", include("billing.pages.urls")),
    path("", include("usage.pages.urls")),
    path("favicon.ico", RedirectView.as_view(url="/static/tollgate/favicon.svg", permanent=True)),
]

handler400 = "config.problems.bad_request"
handler403 = "config.problems.forbidden"
handler404 = "config.problems.not_found"
handler500 = "config.problems.server_error"
