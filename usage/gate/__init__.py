"""The gate: may this key do this now, and what will it cost?"""

from usage.gate.verdict import Question, question, verify, verify_all

__all__ = ["Question", "question", "verify", "verify_all"]
