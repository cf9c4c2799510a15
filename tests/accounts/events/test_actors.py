"""Who an event says did it."""

import pytest

from accounts import events


@pytest.mark.parametrize(("id", "kind"), [("key_0", "platform_key"), ("user:7", "operator"), ("", "system")])
def test_what_only_the_platform_may_do_was_done_by_a_key_an_operator_or_the_system(id: str, kind: str) -> None:
    assert events.platform_actor(id).as_json() == {"kind": kind, "id": id or None}
