"""A paper's bytes: PDF/A-3 with its e-invoice attached, which is PDF/UA too.

The standard refuses letters that the fonts don't have. Then it is a plain PDF with a box in their place: a name must
never stop a paper.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

TEMPLATE = Path(__file__).with_name("paper.typ")
STANDARDS = ["a-3a", "ua-1"]


@dataclass(frozen=True)
class Printed:
    """`standard` is empty for a plain PDF."""

    pdf: bytes
    standard: str


def pdf(data: dict[str, Any], xml: str, made_at: datetime) -> Printed:
    """The PDF of a layout. The same data, fonts and moment give the same bytes."""
    import typst  # 84 MB: only workers print

    try:
        return Printed(_compile(data, made_at, STANDARDS, xml), " ".join(STANDARDS))
    except typst.TypstError:
        return Printed(plain(data, made_at, xml), "")


def plain(data: dict[str, Any], made_at: datetime, xml: str = "") -> bytes:
    """The PDF without a standard."""
    return _compile(data, made_at, [], xml)


def _compile(data: dict[str, Any], made_at: datetime, standards: Any, xml: str) -> bytes:
    import typst

    inputs = {"paper": json.dumps(data), **({"xml": xml} if xml else {})}
    fonts = [settings.INVOICE_FONTS] if settings.INVOICE_FONTS else []
    compiler = typst.Compiler(root=TEMPLATE.parent, font_paths=fonts, ignore_system_fonts=True)
    result: Any = compiler.compile(
        TEMPLATE.read_bytes(), sys_inputs=inputs, pdf_standards=standards, timestamp=int(made_at.timestamp())
    )
    return bytes(result)
