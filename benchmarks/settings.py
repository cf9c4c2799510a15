"""Tollgate's settings, with the bare views added to its URLs."""

from config.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.urls"
