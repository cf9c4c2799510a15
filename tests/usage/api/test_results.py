"""The response to a batch is written by hand: it is what an encoder would write."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from config.api.json import JSONRenderer
from tests.properties import search
from usage.api import results
from usage.metering.parsing import Rejected
from usage.metering.recording import BatchResult, Result

texts = st.text(max_size=20)
credits = st.decimals(min_value=0, max_value=10**9, places=9)
rejections = st.builds(Rejected, st.just("invalid"), texts, texts)
outcomes = st.one_of(
    st.builds(Result, texts, st.just("accepted"), credits),
    st.builds(Result, texts, st.just("duplicate")),
    st.builds(Result, st.none() | texts, st.just("rejected"), rejection=rejections),
)


def expected(result: Result) -> dict[str, Any]:
    body: dict[str, Any] = {"id": result.id, "result": result.result, "credits": result.credits}
    if result.rejection:
        body |= {"code": result.code, "detail": result.detail}
    return body


@search(200)
@given(st.lists(outcomes, max_size=5))
def test_each_result_comes_back_as_it_was(batch: list[Result]) -> None:
    text = JSONRenderer().render(results.body_of(BatchResult(batch)))
    body = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    assert body.pop("results") == [expected(result) for result in batch]
    assert body["credits"] == sum((result.credits for result in batch), Decimal(0))
    assert sum(body[outcome] for outcome in ("accepted", "duplicate", "rejected")) == len(batch)


def test_half_a_surrogate_pair_in_a_refused_id_is_written_so_that_it_can_be_read() -> None:
    refused = Result("a\ud800", "rejected", rejection=Rejected("invalid", "Not printable.", "id"))
    text = JSONRenderer().render(results.body_of(BatchResult([refused])))
    assert json.loads(text)["results"][0]["id"] == "a\ud800"
