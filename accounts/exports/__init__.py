"""Exports: all that an organization or a person has, as JSON Lines and CSV in an archive."""

from accounts.exports import contents  # noqa: F401 (registers the sections of this app)
