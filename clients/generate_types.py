"""Writes the types of both clients, from the OpenAPI document on standard input.

    python manage.py spectacular --format openapi-json | python clients/generate_types.py

Only the schemas that a gateway sends and receives. A test compares the files with the document.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FILES = {
    "typescript": HERE / "javascript" / "src" / "types.ts",
    "python": HERE / "python" / "src" / "tollgate_client" / "types.py",
}
ROOTS = (
    "VerifyRequest",
    "Verdict",
    "EventRequest",
    "Batch",
    "TakeLeaseRequest",
    "ExtendLeaseRequest",
    "Lease",
    "Problem",
)
NAMES = {"CodeEnum": "Code", "ResultEnum": "Result", "HoldStatusEnum": "HoldStatus", "EventRequest": "UsageEvent"}
PLAIN = {
    "string": ("string", "str"),
    "integer": ("number", "int"),
    "number": ("number", "float"),
    "boolean": ("boolean", "bool"),
    "null": ("null", "None"),
    "object": ("Record<string, unknown>", "dict[str, Any]"),
}
AMOUNT = ("Credits", "Decimal")
QUANTITY = ("number | string", "Decimal | int")
Schema = Mapping[str, Any]


def schemas(document: Schema) -> dict[str, Schema]:
    """The roots and everything that they refer to, which comes before them, enumerations first."""
    every, reached = document["components"]["schemas"], {}

    def reach(name: str) -> None:
        if name not in reached:
            for inner in _references(every[name]):
                reach(inner)
            reached[name] = every[name]

    for root in ROOTS:
        reach(root)
    return dict(sorted(reached.items(), key=lambda item: "enum" not in item[1]))


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if "$ref" in value:
            yield value["$ref"].rsplit("/", 1)[-1]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def typescript(document: Schema) -> str:
    named = schemas(document)
    amounts = sorted({name for schema in named.values() for name in _amounts(schema)})
    lines = [
        "/** What a gateway sends and gets. Written from the OpenAPI document by generate_types.py. */",
        "",
        'import type { Credits } from "./credits.js";',
        "",
        "/** Members of answers that are amounts. */",
        f"export const AMOUNTS: ReadonlySet<string> = new Set([{', '.join(_quoted(name) for name in amounts)}]);",
    ]
    for name, schema in named.items():
        if "enum" in schema:
            lines += ["", f"export type {_name(name)} = {' | '.join(map(_quoted, schema['enum']))};"]
            continue
        lines += ["", f"export interface {_name(name)} {{"]
        for field, inner in schema["properties"].items():
            optional = "" if field in schema.get("required", ()) else "?"
            lines.append(f"  {field}{optional}: {_type(field, inner, 0)};")
        lines.append("}")
    return "\n".join(lines) + "\n"


def python(document: Schema) -> str:
    named = schemas(document)
    lines = [
        '"""What a gateway sends and gets. Written from the OpenAPI document by generate_types.py."""',
        "",
        "from decimal import Decimal",
        "from typing import Any, Literal, NotRequired, TypedDict",
        "",
    ]
    for name, schema in named.items():
        if "enum" in schema:
            lines += [f"{_name(name)} = Literal[", *(f"    {_quoted(value)}," for value in schema["enum"]), "]", ""]
            continue
        lines += ["", f"class {_name(name)}(TypedDict):"]
        for field, inner in schema["properties"].items():
            kind = _type(field, inner, 1)
            lines.append(f"    {field}: {kind if field in schema.get('required', ()) else f'NotRequired[{kind}]'}")
        lines.append("")
    return "\n".join(lines)


def _amounts(schema: Schema) -> Iterator[str]:
    for field, inner in schema.get("properties", {}).items():
        if inner.get("format") == "decimal" and field != "quantity":
            yield field


def _type(field: str, schema: Schema, language: int) -> str:
    """The type of a member; `language` is 0 for TypeScript and 1 for Python."""
    for inner in (schema, *schema.get("allOf", ())):
        if "$ref" in inner:
            return _name(inner["$ref"].rsplit("/", 1)[-1])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " | ".join(_plain(kind, field, schema, language) for kind in kinds)


def _plain(kind: str, field: str, schema: Schema, language: int) -> str:
    if kind == "array":
        items = _type(field, schema["items"], language)
        return f"list[{items}]" if language else f"{items}[]"
    if kind == "number" and schema.get("format") == "decimal":
        return AMOUNT[language] if field != "quantity" else QUANTITY[language]
    return PLAIN[kind][language]


def _name(schema: str) -> str:
    return NAMES.get(schema, schema)


def _quoted(text: str) -> str:
    return f'"{text}"'


if __name__ == "__main__":
    document = json.load(sys.stdin)
    FILES["typescript"].write_text(typescript(document))
    FILES["python"].write_text(python(document))
