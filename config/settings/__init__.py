"""Tollgate's settings, a file a subject. `environment` reads every variable, and `docs/operations.md` lists them."""

import django_stubs_ext

from config.settings.environment import *
from config.settings.framework import *
from config.settings.database import *
from config.settings.people import *
from config.settings.api import *
from config.settings.tasks import *

django_stubs_ext.monkeypatch()  # lets Django's generic classes be written with their types
