"""Moments as people read them: how long ago, with the exact time on hover and on focus."""

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

DAY = timedelta(days=1)
UNITS = (("day", DAY), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))
MONTH = 30 * DAY

register = template.Library()


@register.filter
def exact(moment: datetime) -> str:
    """`14 Nov 2025, 09:41:07 CET`."""
    return f"{timezone.localtime(moment):%-d %b %Y, %H:%M:%S %Z}"


@register.simple_tag
def ago(moment: datetime) -> SafeString:
    """`3 minutes ago`, `in 5 days`; a date once it is more than a month away."""
    return format_html(
        '<time class="ago" datetime="{}" title="{}" tabindex="0">{}</time>',
        moment.isoformat(),
        exact(moment),
        relative(moment, timezone.now()),
    )


@register.simple_tag
def at(moment: datetime) -> SafeString:
    """The date and the time of day, exactly."""
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{} <span class="clock">{}</span></time>',
        moment.isoformat(),
        exact(moment),
        f"{local:%-d %b %Y}",
        f"{local:%H:%M:%S}",
    )


def relative(moment: datetime, now: datetime) -> str:
    distance = abs(now - moment)
    if distance >= MONTH:
        return f"{timezone.localtime(moment):%-d %b %Y}"
    for name, length in UNITS:
        if (n := distance // length) > 0:
            words = f"{n} {name}{'s' if n > 1 else ''}"
            return f"{words} ago" if moment <= now else f"in {words}"
    return "just now" if moment <= now else "in a moment"
