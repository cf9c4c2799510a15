"""The answer to a batch is written by hand: it is what an encoder would write."""

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from config.api.json import JSONRenderer
from tests.properties import search
from usage.api import results
from usage.metering.recording import Batch, Result

texts = st.text(max_size=20)
credits = st.decimals(min_value=0, max_value=10**9, places=9)
outcomes = st.one_of(
    st.builds(Result, texts, st.just("accepted"), credits),
    st.builds(Result, texts, st.just("duplicate")),
    st.builds(Result, st.none() | texts, st.just("rejected"), code=st.just("invalid"), detail=texts),
)


@search(200)
@given(st.lists(outcomes, max_size=5))
def test_each_result_comes_back_as_it_was(batch: list[Result]) -> None:
    answer = json.loads(JSONRenderer().render(results.shown(Batch(batch))), parse_float=Decimal, parse_int=Decimal)
    wanted = [
        {"id": one.id, "result": one.result, "credits": one.credits}
        | ({"code": one.code, "detail": one.detail} if one.code else {})
        for one in batch
    ]
    assert answer.pop("results") == wanted
    assert answer["credits"] == sum((one.credits for one in batch), Decimal(0))
    assert sum(answer[result] for result in ("accepted", "duplicate", "rejected")) == len(batch)


def test_half_a_surrogate_pair_in_a_refused_id_is_written_so_that_it_can_be_read() -> None:
    answer = JSONRenderer().render(results.shown(Batch([Result("a\ud800", "rejected", code="invalid", detail="id")])))
    assert json.loads(answer)["results"][0]["id"] == "a\ud800"
