"""Tollgate's settings, with the bare views added to its URLs."""

from config.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.urls"

WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
