"""Django's settings in the tests: those of the product, read once the tests' servers and state folder are there.

pytest-django reads them before any conftest.py, whatever DJANGO_SETTINGS_MODULE says: see `--ds` in pyproject.toml.
"""

import os

from tests import servers

servers.start()
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"  # for the processes that tests start

from config.settings import *  # noqa: E402, F403
