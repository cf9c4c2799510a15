"""Lists: newest first, in pages."""

from tests.stripe.state import Object, State

FILTERS = ("customer", "payment_intent", "charge", "type")


def listed(state: State, params: Object, kind: str, path: str) -> Object:
    rows = [row for row in state.all(kind) if _matches(row, params)]
    if after := params.get("starting_after"):
        rows = rows[[row["id"] for row in rows].index(after) + 1 :]
    size = min(int(params.get("limit") or 10), state.page_size)
    return {"object": "list", "data": rows[:size], "has_more": len(rows) > size, "url": path}


def _matches(row: Object, params: Object) -> bool:
    created = params.get("created") or {}
    is_recent = row["created"] >= int(created.get("gte", 0)) and row["created"] > int(created.get("gt", -1))
    is_named = all(row.get(name) == params[name] for name in FILTERS if name in params)
    return is_recent and is_named and ("types" not in params or row["type"] in params["types"])
