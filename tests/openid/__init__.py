"""A provider of sign-ins as a process of its own: OpenID Connect, and GitHub's OAuth. Not a copy of our own checks.

Each mode is an issuer of its own, `http://127.0.0.1:…/<mode>`, which is honest but for one thing: see `modes`.
"""
