"""The names that the admin shows of models, fields, choices, columns and actions, in the operator's language.

In the code they are plain English; most of them Django makes of the names of classes, fields and methods.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps
from django.contrib.admin import AdminSite
from django.db.models import Choices, Field, Model
from django.forms.utils import pretty_name
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

APPS = ("accounts", "apikeys", "billing", "usage")


def translate(site: AdminSite) -> None:
    """Make the names translatable: from now on they are translated whenever they are shown."""
    for owner, name in _places(site):
        setattr(owner, name, gettext_lazy(str(getattr(owner, name))))
    for field in _fields(site):
        if field.choices:
            field.choices = [(value, gettext_lazy(str(label))) for value, label in field.flatchoices]
    for member in members():
        member._label_ = gettext_lazy(str(member.label))


def texts(site: AdminSite) -> Iterator[str]:
    """The names that need a translation, without choices."""
    return (str(getattr(owner, name)) for owner, name in _places(site))


def _places(site: AdminSite) -> Iterator[tuple[Any, str]]:
    """The places of the names: an object, and its attribute."""
    for label in APPS:
        yield apps.get_app_config(label), "verbose_name"
    for model in _models(site):
        yield from ((model._meta, "verbose_name"), (model._meta, "verbose_name_plural"))
    for field in _fields(site):
        yield from ((field, name) for name in ("verbose_name", "help_text") if getattr(field, name))
    for function in dict.fromkeys(_functions(site)):
        if not hasattr(function, "short_description"):
            function.short_description = pretty_name(function.__name__)  # type: ignore[attr-defined]
        yield function, "short_description"


def _models(site: AdminSite) -> Iterator[type[Model]]:
    """The models that have pages, or are shown on the pages of others."""
    models = dict.fromkeys(site._registry)
    for page in site._registry.values():
        models |= dict.fromkeys(inline.model for inline in page.get_inlines(HttpRequest(), page.model()))
        models |= dict.fromkeys(each.related_model for each in page.model._meta.related_objects if each.one_to_one)
    return (model for model in models if model._meta.app_label in APPS)


def members() -> Iterator[Choices]:
    """The values of choices, from which forms make lists of their own."""
    for model in apps.get_models():
        if model._meta.app_label in APPS:
            for value in [*vars(model).values(), *vars(sys.modules[model.__module__]).values()]:
                if isinstance(value, type) and issubclass(value, Choices):
                    yield from value


def _fields(site: AdminSite) -> Iterator["Field[Any, Any]"]:
    for model in _models(site):
        yield from model._meta.local_fields


def _functions(site: AdminSite) -> Iterator[Callable[..., Any]]:
    """The functions behind columns and actions: methods of the admin's pages, and methods and properties of models."""
    for page in site._registry.values():
        yield from (function for function in vars(type(page)).values() if hasattr(function, "short_description"))
        for name in [*page.list_display, *page.readonly_fields, *(page.actions or ()), "public_id"]:
            attribute = getattr(type(page), str(name), None) or getattr(page.model, str(name), None)
            function = attribute.fget if isinstance(attribute, property) else attribute
            if callable(function) and str(name) != "__str__":
                yield function
