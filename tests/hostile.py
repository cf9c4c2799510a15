"""Hypothesis strategies for JSON and text that tend to break parsers."""

from hypothesis import strategies as st

# Hypothesis' own `characters` never produces lone surrogates.
TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
# Raw JSON numbers that json.dumps can't write. They stay text until the body is complete.
RAW = ["1e999999", "-1e999999", "1e-999999", "1e99999999999999999999", "9" * 400, "0.1234567890123", "-0", "1E+5"]
SHARP = [
    "\0",
    "\ud800",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01",
    "2026-02-30",
    "x" * 5000,
    "\u0130" * 200 + "@example.com",
    "Europe/Paris",
    "pm_card_visa",
    "1_000",
    "acct_0000000000000000",
    "rt_" + "0" * 75,
    "10.0.0.0/33",
    *(f"@{number}@" for number in RAW),
]
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from(SHARP) | st.sampled_from(SHARP)
)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
