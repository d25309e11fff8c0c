"""A type's compiled schemas: lenient for drafts, strict for publishing, and as JSON Schema."""

from __future__ import annotations

import pytest
from marshmallow import ValidationError

from content_api.content.type_schemas import compile_schemas

BODY = {
    "fields": {"title": {"fr": "x" * 500}, "height": {"*": 40.0}},
    "blocks": {"story": {"order": ["b1"], "items": {"b1": {"type": "figure", "fields": {}}}}},
}


@pytest.fixture(scope="module")
def place(types):
    return compile_schemas(types, types.type("place"))


def test_a_draft_may_be_too_long_and_lack_what_publishing_needs(place):
    assert place.draft().load(BODY)["fields_"]["height"] == {"*": 40}
    assert place.draft().load({"fields": {}}) == {"fields_": {}}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"fields": {"title": {"*": "x"}}}, ["fields", "title", "*", "key"]),
        ({"fields": {"height": {"*": "high"}}}, ["fields", "height", "*", "value"]),
        ({"fields": {"story": {"*": []}}}, ["fields", "story"]),
        ({"blocks": {"story": {"order": ["b2"], "items": {}}}}, ["blocks", "story", "order"]),
    ],
)
def test_a_draft_is_never_of_the_wrong_kind(place, change, where):
    with pytest.raises(ValidationError) as caught:
        place.draft().load({"fields": {}, **change})
    found = caught.value.messages
    for step in where:
        found = found[step]
    assert found


def test_publishing_needs_what_is_required_and_no_more_than_allowed(place):
    with pytest.raises(ValidationError) as caught:
        place.publish().load({"lead": "x" * 601})
    assert set(caught.value.messages) == {"title", "lead"}
    assert caught.value.messages["lead"] == ["expected at most 600 characters, got 601"]
    assert place.publish().load({"title": "Le port"}) == {"title": "Le port"}
    with pytest.raises(ValidationError):
        place.publish().load({"title": None})


def test_the_json_schema_knows_scopes_blocks_and_kinds(place):
    found = place.json_schema["properties"]
    assert found["fields"]["properties"]["height"]["properties"]["*"] == {
        "anyOf": [{"type": "number"}, {"type": "null"}]
    }
    kinds = found["blocks"]["properties"]["story"]["properties"]["items"]["additionalProperties"]
    assert [one["properties"]["type"] for one in kinds["oneOf"]] == [
        {"const": "paragraph"},
        {"const": "figure"},
    ]


def test_every_type_of_a_set_compiles(types):
    for kind in types:
        assert compile_schemas(types, kind).delivery().dump({"id": "a", "fields": {}})["id"] == "a"
