from datetime import datetime

from django import template

from apikeys.models import ApiKey

register = template.Library()


@register.filter
def hint(key: ApiKey) -> str:
    """What may be shown of the newest secret."""
    return max(key.secrets.all(), key=lambda secret: secret.created_at).hint


@register.filter
def status(key: ApiKey, now: datetime) -> str:
    return key.status(now)
