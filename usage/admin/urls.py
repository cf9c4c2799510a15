"""The operators' own pages. They come before Django's in the admin, and are in its namespace."""

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpResponse
from django.urls import URLPattern, path

from accounts.pages import paths  # noqa: F401 (registers the converter `acct`)
from usage.admin.customer import customer, note, search, visit
from usage.admin.home import home


def page(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
    """Only for operators, whose session has a second factor."""
    return path(route, admin.site.admin_view(view), name=name)


urlpatterns = [
    page("", home, "index"),
    page("search/", search, "search"),
    page("customers/<acct:organization>/", customer, "customer"),
    page("customers/<acct:organization>/notes/", note, "customer-note"),
    page("customers/<acct:organization>/visit/", visit, "customer-visit"),
]
