"""The organization in every page's address: `/o/acct_…/`. Importing this module registers its converter."""

from django.urls import register_converter
from django.urls.converters import StringConverter

ORGANIZATION = "o/<acct:organization>/"


class OrganizationId(StringConverter):
    regex = "acct_[0-9a-z]{16}"


register_converter(OrganizationId, "acct")
