"""What all pages keep to: the strict policy, real icons, and colours that can be read in both themes."""

import re
from pathlib import Path

import pytest
from django.template import Template, TemplateSyntaxError

from accounts.models import Organization, User
from accounts.templatetags import components
from tests.browser import at, signed_in

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = sorted(t for t in (ROOT / "templates").rglob("*.html") if "emails" not in t.parts)
FORBIDDEN = re.compile(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)")
STATIC = ROOT / "static" / "tollgate"
TOKEN = re.compile(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
TEXT = ["ink", "quiet", "accent", "accent-strong", "bad", "warn"]
PAIRS = [
    *((text, ground) for text in TEXT for ground in ("paper", "surface", "sunken")),
    *((text, ground) for text in ("ink", "quiet") for ground in ("accent-soft", "bad-soft", "warn-soft", "info-soft")),
    ("on-accent", "accent"),
    ("on-bad", "bad"),
    ("accent-strong", "accent-soft"),
    ("bad", "bad-soft"),
    ("warn", "warn-soft"),
    ("info", "info-soft"),
]


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.fixture(scope="module")
def themes() -> list[dict[str, str]]:
    tokens = TOKEN.findall((STATIC / "palette.css").read_text())
    return [{name: light for name, light, _ in tokens}, {name: dark for name, _, dark in tokens}]


def test_text_can_be_read_on_its_ground(themes: list[dict[str, str]]) -> None:
    contrasts = {
        (text, ground): min(contrast(theme[text], theme[ground]) for theme in themes) for text, ground in PAIRS
    }
    assert {pair: measured for pair, measured in contrasts.items() if measured < 4.5} == {}


def test_the_border_of_a_field_can_be_seen(themes: list[dict[str, str]]) -> None:
    assert min(contrast(theme["line-strong"], theme["surface"]) for theme in themes) >= 3


def test_no_template_has_inline_style_or_script() -> None:
    assert [str(template) for template in TEMPLATES if FORBIDDEN.search(template.read_text())] == []


def test_every_icon_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="(\w+)"', (STATIC / "icons.svg").read_text()))
    named = re.compile(r'(?:\{% icon |icon=)"(\w+)"')
    used = {name for template in TEMPLATES for name in named.findall(template.read_text())}
    by_kind = {*components.BADGE_ICONS.values(), *components.NOTICE_ICONS.values()}
    assert len(used) > 10
    assert used | by_kind <= drawn


def test_a_cell_with_an_argument_that_it_does_not_have_is_no_template() -> None:
    for argument in ('column kinds="number"', 'column kind="number" href="/"'):
        with pytest.raises(TemplateSyntaxError):
            Template(f"{{% cell {argument} %}}1{{% endcell %}}")


def test_no_line_of_a_template_is_too_long_to_read() -> None:
    lines = {str(template): template.read_text().splitlines() for template in TEMPLATES}
    assert [template for template in lines if max(map(len, lines[template])) > 160] == []


def test_the_policy_allows_only_ourselves(alice: User, organization: Organization) -> None:
    policy = signed_in(alice).get(at(organization))["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
