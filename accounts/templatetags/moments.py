"""Moments as people read them: how long ago, with the exact time on hover and on focus."""

from datetime import date, datetime, timedelta
from functools import lru_cache

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, ngettext_lazy

DAY = timedelta(days=1)
UNITS = (
    (
        DAY,
        ngettext_lazy("%(count)d day ago", "%(count)d days ago", "count"),
        ngettext_lazy("in %(count)d day", "in %(count)d days", "count"),
    ),
    (
        timedelta(hours=1),
        ngettext_lazy("%(count)d hour ago", "%(count)d hours ago", "count"),
        ngettext_lazy("in %(count)d hour", "in %(count)d hours", "count"),
    ),
    (
        timedelta(minutes=1),
        ngettext_lazy("%(count)d minute ago", "%(count)d minutes ago", "count"),
        ngettext_lazy("in %(count)d minute", "in %(count)d minutes", "count"),
    ),
)
MONTH = 30 * DAY

register = template.Library()


@register.filter
def exact(moment: datetime) -> str:
    """`14 Nov 2025, 09:41:07 CET`."""
    local = timezone.localtime(moment)
    return f"{day(local)}, {local:%H:%M:%S %Z}"


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
        day(local),
        f"{local:%H:%M:%S}",
    )


def day(local: datetime) -> str:
    return _day(local.date(), get_language())


@lru_cache(1000)
def _day(day: date, language: str | None) -> str:
    """Remembered, because the rows of a list are often of the same few days."""
    return date_format(day, "SHORT_DATE_FORMAT")


def relative(moment: datetime, now: datetime) -> str:
    is_past, distance = moment <= now, abs(now - moment)
    if distance >= MONTH:
        return day(timezone.localtime(moment))
    for length, past, future in UNITS:
        if (count := distance // length) > 0:
            return (past if is_past else future) % {"count": count}
    return gettext("just now") if is_past else gettext("in a moment")
