"""The least that django-hordak needs. It keeps its database connections open, as Tollgate does."""

import os
from urllib.parse import parse_qs, urlsplit

_url = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _url.path[1:],
        "USER": "tollgate",
        "HOST": parse_qs(_url.query)["host"][0],
        "PORT": "5432",
        "CONN_MAX_AGE": None,
    }
}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "mptt", "djmoney", "hordak"]
SECRET_KEY = "benchmark"  # noqa: S105 (nothing is signed)
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
HORDAK_INTERNAL_CURRENCY = DEFAULT_CURRENCY = "EUR"
HORDAK_CURRENCIES = CURRENCIES = ["EUR"]
HORDAK_DECIMAL_PLACES = 9
HORDAK_MAX_DIGITS = 24
