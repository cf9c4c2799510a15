"""Tollgate's own settings, and beside its paths the bare views that its answers are compared with."""

from config.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.urls"
