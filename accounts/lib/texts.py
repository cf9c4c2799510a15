"""Text that callers send."""

# The zero-width joiner and non-joiner. Unicode counts them among the format characters, but words of Persian and of
# the Indic scripts, and many emoji, are written with them.
JOINERS = "\u200c\u200d"
_NO_JOINERS = str.maketrans("", "", JOINERS)


def typed(text: str) -> str:
    """The text of a field that no form checks: without surrounding space, and without NUL, which PostgreSQL refuses."""
    return text.replace("\0", "").strip()


def is_printable(text: str) -> bool:
    """Whether it is text without control characters and line breaks. Joiners are text."""
    return text.isprintable() or text.translate(_NO_JOINERS).isprintable()
