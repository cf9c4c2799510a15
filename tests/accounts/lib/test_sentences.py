"""A refusal with values is English for programs, and in the person's language on pages."""

from accounts.lib import languages
from accounts.lib.problems import InvalidField, Problem
from accounts.lib.sentences import filled


def test_a_page_says_it_in_its_language() -> None:
    refusal = InvalidField("amount", filled("Must be from %(least)s to %(most)s.", least=1, most=5))
    whole = Problem(filled("At most %(most)s exports a day.", most=3))
    with languages.spoken("de"):
        assert languages.sentence(refusal) == "Muss zwischen 1 und 5 liegen."
        assert languages.sentence(whole) == "Höchstens 3 Exporte am Tag."
        assert refusal.sentence == "Must be from 1 to 5."
    assert languages.sentence(refusal) == "Must be from 1 to 5."


def test_it_is_kept_by_an_exception_and_its_text() -> None:
    error = ValueError(filled("At most %(most)s exports a day.", most=3))
    assert str(error) == "At most 3 exports a day."
    with languages.spoken("de"):
        assert languages.translated(str(error)) == "Höchstens 3 Exporte am Tag."
