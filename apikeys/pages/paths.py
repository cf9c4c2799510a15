"""A key in a page's address. Importing this module registers its converter."""

from django.urls import register_converter
from django.urls.converters import StringConverter

KEY = "<key:key>/"


class KeyId(StringConverter):
    regex = "key_[0-9a-f]{16}"


register_converter(KeyId, "key")
