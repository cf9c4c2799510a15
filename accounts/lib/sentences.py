"""Sentences of refusals that have values in them. The API says them in English, and pages in the person's language."""

from typing import Any


class Sentence(str):
    """An English sentence, which knows its text without the values. That text is what is translated."""

    template: str
    values: dict[str, Any]

    def __str__(self) -> str:
        """So that `str(error)` of an exception keeps it."""
        return self


def filled(template: str, **values: Any) -> Sentence:
    """`filled("At most %(most)s characters.", most=100)`. `make words` finds the text."""
    sentence = Sentence(template % values)
    sentence.template, sentence.values = template, values
    return sentence
