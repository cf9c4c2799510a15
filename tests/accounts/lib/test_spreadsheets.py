"""CSV that a spreadsheet opens without running any of it."""

import csv
import io
from decimal import Decimal

import pytest

from accounts.lib import spreadsheets


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://evil.example")', "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1",
        "\u200c=1", "\u200d@A1", "\ufeff+1", "＝1+1", "＋1", "－1", "＠A1", "\tx",
    ],
)  # fmt: skip
def test_formula_like_text_gets_an_apostrophe(text: str) -> None:
    assert spreadsheets.inert(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", " ", "/v1/a=b", "\u200c/a", "a+b", "−1", "'=1"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert spreadsheets.inert(text) == text


def test_a_table_is_read_back_as_it_was_written() -> None:
    rows: list[list[spreadsheets.Cell]] = [["a, b", 'c"d', "e\nf"], [None, -5, Decimal("-0.000000001")], ["=1", "", 0]]
    text = spreadsheets.csv_of(["one", "two", "three"], rows).decode()
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["one", "two", "three"],
        ["a, b", 'c"d', "e\nf"],
        ["", "-5", "-0.000000001"],
        ["'=1", "", "0"],
    ]
