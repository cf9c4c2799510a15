"""The gate: may this key do this now, and what will it cost?"""

from usage.gate.verdict import verify, verify_all

__all__ = ["verify", "verify_all"]
