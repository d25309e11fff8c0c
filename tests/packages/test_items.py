"""An entry as two releases show it."""

from __future__ import annotations

from content_api.packages.compile import compile_package
from content_api.packages.items import item_parts, read_item
from tests.packages.factory import TYPES, make_content


def test_an_item_is_found_in_the_language_that_shows_it() -> None:
    documents = compile_package(make_content()).documents
    found = read_item(documents.get, "fr", "crane")
    assert found is not None
    assert found["id"] == "crane"
    assert read_item(documents.get, "fr", "nowhere") is None
    assert read_item(documents.get, "ar", "crane") is None
    assert read_item({}.get, "fr", "crane") is None


def test_what_differs_is_told_field_by_field_with_removed_ones_last() -> None:
    before = {"id": "a", "type": "place", "fields": {"gone": "x", "title": "The crane", "n": 1}}
    after = {"id": "a", "type": "place", "fields": {"title": "The tall crane", "n": 1, "year": 2}}
    parts = item_parts(TYPES, before, after)
    assert [(part.before, part.after) for part in parts] == [
        ("The crane", "The tall crane"),
        (None, 2),
        ("x", None),
    ]
    assert "".join(s.text for s in parts[0].segments if s.op == "insert").strip() == "tall"
    assert parts[1].segments == ()
    assert item_parts(TYPES, after, after) == []


def test_a_block_is_the_same_one_wherever_it_stands() -> None:
    def body(*texts: tuple[str, str]) -> dict[str, object]:
        blocks = [{"id": key, "type": "paragraph", "fields": {"text": text}} for key, text in texts]
        return {"id": "a", "type": "place", "fields": {"story": blocks}}

    kinds = {field.id: field.kind for field in TYPES.type("place").fields}
    assert kinds["story"] == "blocks"
    [part] = item_parts(TYPES, body(("one", "A"), ("two", "B")), body(("two", "C"), ("one", "A")))
    assert (part.before, part.after) == ("B", "C")
