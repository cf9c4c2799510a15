"""Both clients have the types that the OpenAPI document gives."""

import importlib.util
from pathlib import Path

from drf_spectacular.generators import SchemaGenerator

CLIENTS = Path(__file__).resolve().parent.parent.parent / "clients"


def test_the_types_are_those_of_the_document() -> None:
    spec = importlib.util.spec_from_file_location("generate_types", CLIENTS / "generate_types.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    document = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    for language, file in module.FILES.items():
        assert file.read_text() == getattr(module, language)(document), f"run clients/generate_types.py: {file.name}"
