"""The parts that pages are built of. Each has its markup in a file of `templates/components/`.

Settings make these tags built in: a template needs no `{% load %}` for them.
"""

from functools import lru_cache
from typing import Any

from django import template
from django.forms import BaseForm, BoundField
from django.template.base import FilterExpression, Node, NodeList, Parser, Token
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from accounts.lib import languages

BADGE_ICONS = {"good": "check", "warning": "alert", "bad": "alert", "waiting": "todo"}
NOTICE_ICONS = {"success": "check", "info": "info", "warning": "alert", "error": "alert"}

# A long list shows the same few icons, badges and openings of cells hundreds of times: each is rendered once.
REMEMBERED = 1000

register = template.Library()


@register.filter
def translated(text: str) -> str:
    """A fixed text of the code that is English there, such as the label of a choice."""
    return languages.translated(str(text))


@register.simple_tag
@lru_cache(REMEMBERED)
def icon(name: str, size: str = "") -> str:
    """A symbol of `icons.svg`. Sizes: the text's own, `mark`, `big`."""
    return render_to_string("components/icon.html", {"name": name, "size": size})


@register.simple_tag
def badge(text: str, kind: str = "", *, href: str = "") -> str:
    """A word in a coloured pill. Kinds: `good`, `warning`, `bad`, `waiting`; plain without one."""
    return _badge(str(text), kind, href)


@lru_cache(REMEMBERED)
def _badge(text: str, kind: str, href: str) -> str:
    context = {"text": text, "kind": kind, "href": href, "icon": BADGE_ICONS.get(kind)}
    return render_to_string("components/badge.html", context)


@register.inclusion_tag("components/field.html")
def field(bound: BoundField) -> dict[str, Any]:
    """One field of a form, with its label, help and errors."""
    return {"field": bound}


@register.filter
def uncut(bound: BoundField) -> BoundField:
    """Without `maxlength`: the browser would cut what is pasted, and say nothing. The form's error names the limit."""
    bound.field.widget.attrs.pop("maxlength", None)
    return bound


@register.inclusion_tag("components/fields.html")
def fields(form: BaseForm) -> dict[str, Any]:
    """All of a form: its own errors, then its fields."""
    return {"form": form}


@register.inclusion_tag("components/form_errors.html")
def form_errors(form: BaseForm) -> dict[str, Any]:
    """The errors of a form that belong to no field."""
    return {"form": form}


@register.inclusion_tag("components/copyable.html")
def copyable(id: str, text: str, *, quiet: bool = False) -> dict[str, Any]:
    """Text in a box, with a button that copies it."""
    return {"id": id, "text": text, "quiet": quiet}


@register.simple_block_tag
def notice(content: SafeString, kind: str, *, role: str = "") -> str:
    """A coloured line. Kinds: `success`, `info`, `warning`, `error`."""
    context = {"content": content, "kind": kind, "role": role, "icon": NOTICE_ICONS[kind]}
    return render_to_string("components/notice.html", context)


@register.simple_block_tag
def panel(
    content: SafeString, title: str = "", *, id: str = "", label: str = "", note: str = "", flush: bool = False
) -> str:
    """A section in a frame, named by its heading, or by `label` where it has none. `note` stands beside the heading.

    A `flush` panel has no padding: for a table that fills it.
    """
    context = {"content": content, "title": title, "id": id, "label": label, "note": note, "flush": flush}
    return render_to_string("components/panel.html", context)


@register.simple_block_tag
def dialog(content: SafeString, *, back: str = "", back_text: str = "", wide: bool = False) -> str:
    """A narrow page for one form or one question, with a link back to where the person came from."""
    context = {"content": content, "back": back, "back_text": back_text, "wide": wide}
    return render_to_string("components/dialog.html", context)


@register.simple_block_tag
def fold(content: SafeString, title: str, *, is_open: bool = False) -> str:
    """A panel that is folded on a narrow screen until one opens it: for filters."""
    return render_to_string("components/fold.html", {"content": content, "title": title, "is_open": is_open})


@register.simple_block_tag
def empty_state(content: SafeString, title: str, *, icon: str = "empty") -> str:
    """What a page shows in place of a list that has nothing in it."""
    return render_to_string("components/empty_state.html", {"content": content, "title": title, "icon": icon})


@register.simple_block_tag
def table(
    content: SafeString,
    *columns: str,
    numbers: str = "",
    actions: bool = False,
    zone: str = "",
    tight: bool = False,
    brief: bool = False,
) -> str:
    """A table whose rows turn into cards on a narrow screen. `content` is its rows, made of `cell`.

    `numbers` names the columns of numbers, separated by commas; they come after the others. `zone` is the time zone
    of the column When. `actions` adds a last column, whose heading is for screen readers. A `brief` table has two
    lines for a row on a narrow screen: its cell of the kind `main` with the first number, then all others.
    """
    context = {
        "content": content,
        "columns": columns,
        "numbers": [name.strip() for name in numbers.split(",") if name],
        "actions": actions,
        "zone": zone,
        "tight": tight,
        "brief": brief,
    }
    return render_to_string("components/table.html", context)


class Cell(Node):
    """One cell of a table. A list has hundreds, so its opening tag is remembered."""

    def __init__(self, column: FilterExpression | None, kind: str, content: NodeList) -> None:
        self.column, self.kind, self.nodelist = column, kind, content

    def render(self, context: Context) -> SafeString:
        column = self.column.resolve(context) if self.column else ""
        return mark_safe(f"{_opening(str(column), self.kind)}{self.nodelist.render(context)}</div></td>")  # noqa: S308


@lru_cache(REMEMBERED)
def _opening(column: str, kind: str) -> str:
    label = format_html(' data-label="{}"', column) if column else ""
    classes = format_html(' class="{}"', kind) if kind else ""
    return format_html('<td role="cell"{}{}><div>', label, classes)


@register.tag
def cell(parser: Parser, token: Token) -> Cell:
    """`{% cell column kind="number" %}…{% endcell %}`. On a narrow screen the name of its column stands before it.

    Kinds: `id`, `number`, `main`, `row-actions`. A block tag that is a function would take three times as long.
    """
    words = token.split_contents()[1:]
    kind = words.pop().removeprefix("kind=").strip('"') if words and words[-1].startswith("kind=") else ""
    if len(words) > 1:
        raise template.TemplateSyntaxError(f"A cell takes a column and a kind, not: {token.contents}")
    column = parser.compile_filter(words[0]) if words else None
    content = parser.parse(("endcell",))
    parser.delete_first_token()
    return Cell(column, kind, content)
