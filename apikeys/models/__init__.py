"""API keys: what proves which program is calling, and how often it called."""

from apikeys.models.keys import ApiKey, ApiKeySecret
from apikeys.models.rate_limits import RateCount

__all__ = ["ApiKey", "ApiKeySecret", "RateCount"]
