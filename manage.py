#!/usr/bin/env python
"""Django's command line. With no DATABASE_URL or REDIS_URL, it runs on the embedded PostgreSQL and Valkey."""

import os
import sys

from django.core.management import execute_from_command_line

from config.local import servers, watchdog

NEED_NO_SERVICE = {"help", "--help", "-h", "version", "--version"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:] and not NEED_NO_SERVICE & set(sys.argv[1:]):
        try:
            servers.attach()
        except watchdog.ServerError as error:
            sys.exit(str(error))
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
