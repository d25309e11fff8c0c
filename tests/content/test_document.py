"""Documents: operations, merging, and reading them in a language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_api.content.document import (
    Clashes,
    OperationRefused,
    apply_operations,
    changed_pairs,
    flatten,
    merge,
    operations_between,
    resolve,
    unflatten,
)

from .conftest import put

TAGS = ("fr", "en", "ja", "pl")


def block(block_id: str, **value: object) -> dict[str, object]:
    return {
        "op": "insert_block",
        "path": f"story.{block_id}",
        "value": {"type": "paragraph", **value},
    }


@pytest.fixture
def change(types):
    def apply(body, *operations):
        return apply_operations(types, types.type("place"), body, operations, TAGS)

    return apply


@pytest.fixture
def story(change):
    return change(
        {"fields": {}},
        put("title", "fr", "Le port"),
        block("b1", fields={"text": {"fr": "Un", "ja": "一"}}),
        block("b2", fields={"text": {"fr": "Deux"}}),
    )


def test_a_value_stands_under_its_scope_and_nothing_else_moves(change, story):
    after = change(story, put("title", "ja", "港"))
    assert after["fields"] == {"title": {"fr": "Le port", "ja": "港"}}
    assert changed_pairs(flatten(story), flatten(after)) == {("title", "ja")}


def test_absent_null_and_value_are_three_states(types, story, change):
    place = types.type("place")
    after = change(story, put("lead", "fr", "Bonjour"), put("lead", "en", None))
    shown = resolve(types, place, dict.fromkeys(("*", *TAGS), after), "ja", ("fr",))
    assert shown.fields["lead"] == "Bonjour"
    assert shown.languages["lead"] == "fr"
    shown = resolve(types, place, dict.fromkeys(("*", *TAGS), after), "ja", ("en", "fr"))
    assert "lead" not in shown.fields  # null in English ends the chain: intentionally empty
    assert change(after, {"op": "unset", "path": "lead", "scope": "en"})["fields"]["lead"] == {
        "fr": "Bonjour"
    }


def test_each_scope_is_read_from_its_own_approved_document(types, change):
    place = types.type("place")
    old = change({"fields": {}}, put("title", "fr", "Ancien"), put("title", "ja", "旧"))
    new = change(old, put("title", "fr", "Nouveau"), put("title", "ja", "新"))
    assert resolve(types, place, {"*": new, "fr": old, "ja": new}, "fr", ()).fields == {
        "title": "Ancien"
    }


def test_a_field_without_fallback_shows_nothing_from_another_language(types, change):
    body = change({"fields": {}}, put("narration", "fr", "voix-fr"))
    shown = resolve(types, types.type("place"), dict.fromkeys(("*", *TAGS), body), "ja", ("fr",))
    assert shown.fields == {}


def test_reordering_blocks_never_moves_translations(change, story):
    after = change(story, {"op": "move_block", "path": "story.b1", "value": {"after": "b2"}})
    assert after["blocks"]["story"]["order"] == ["b2", "b1"]
    assert after["blocks"]["story"]["items"] == story["blocks"]["story"]["items"]
    assert changed_pairs(flatten(story), flatten(after)) == {("story", "*")}


def test_blocks_come_first_between_and_last(change, story):
    after = change(story, block("b0", after=None), block("b15", after="b1"), block("b9"))
    assert after["blocks"]["story"]["order"] == ["b0", "b1", "b15", "b2", "b9"]


def test_removing_the_last_block_leaves_no_trace(change, story):
    after = change(
        story,
        {"op": "remove_block", "path": "story.b1"},
        {"op": "remove_block", "path": "story.b2"},
    )
    assert after == {"fields": {"title": {"fr": "Le port"}}}


@pytest.mark.parametrize(
    ("operation", "pointer", "said"),
    [
        (
            put("title", "*", "x"),
            "/0/scope",
            "title: expected the scope a language (fr, en, ja, pl)",
        ),
        (put("coords", "fr", None), "/0/scope", "coords: expected the scope *, got 'fr'"),
        (put("title", "zz", "x"), "/0/scope", "got 'zz'"),
        (put("nope", "fr", "x"), "/0/path", "place has no field 'nope'"),
        (put("story", "*", []), "/0/path", "place has no field 'story'"),
        (put("story.b7.text", "fr", "x"), "/0/path", "there is no block story.b7"),
        (put("title", "fr", 5), "/0/value", "expected text, got a number"),
        (put("title", "fr", "a\x00b"), "/0/value", "U+0000"),
        (put("title", "fr", "\ud800"), "/0/value", "U+D800"),
        (put("height", "*", True), "/0/value", "expected a number, got a boolean"),
        (put("height", "*", 10**400), "/0/value", "expected a number of at most"),
        (put("height", "*", float("inf")), "/0/value", "expected a number of at most"),
        (put("coords", "*", {"lat": 91, "lon": 0}), "/0/value", "lat: expected -90 to 90, got 91"),
        (put("coords", "*", {"lat": 1}), "/0/value", "expected lon"),
        (put("coords", "*", [1, 2]), "/0/value", "expected an object with lat, lon, got a list"),
        (put("kind", "*", "tower"), "/0/value", "expected one of pit, heap, got 'tower'"),
        (put("near", "*", ["a", "a"]), "/0/value", "expected each item once, got 'a' twice"),
        (put("image", "*", "../x"), "/0/value", "expected an id such as fosse-9-9-bis"),
        ({"op": "set", "path": "title", "scope": "fr"}, "/0/value", "expected a value"),
        ({"op": "burn", "path": "title"}, "/0/op", "expected one of set, unset"),
        ({"op": "set", "path": 5}, "/0/path", "expected a path"),
        (block("B 1"), "/0/path", "expected a block id"),
        (block("b1"), "/0/path", "there is a block story.b1 already"),
        (block("b3", after="b8"), "/0/value/after", "expected the id of a block of this story"),
        (block("b3", type="film"), "/0/value/type", "expected one of paragraph, figure"),
        (block("b3", type=["x"]), "/0/value/type", "expected one of paragraph, figure"),
        (block("b3", fields={"text": 5}), "/0/value/fields/text", "expected values by scope"),
        (
            {"op": "move_block", "path": "story.b1", "value": {"after": ["x"]}},
            "/0/value/after",
            "id",
        ),
        ({"op": "remove_block", "path": "story.b9"}, "/0/path", "there is no block story.b9"),
    ],
)
def test_an_operation_that_cannot_be_done_says_where_and_what_was_expected(
    change, story, operation, pointer, said
):
    with pytest.raises(OperationRefused) as caught:
        change(story, operation)
    assert caught.value.pointer == pointer
    assert said in str(caught.value)


def test_values_are_kept_in_one_canonical_form(change):
    body = change(
        {"fields": {}},
        put("title", "fr", "  E\u0301cluse\r\n"),
        put("height", "*", 40.0),
        put("coords", "*", {"lon": 2.5, "lat": 50.0}),
    )
    assert body["fields"]["title"]["fr"] == "\u00c9cluse"
    assert body["fields"]["height"]["*"] == 40
    assert isinstance(body["fields"]["height"]["*"], int)
    assert list(body["fields"]["coords"]["*"].items()) == [("lat", 50), ("lon", 2.5)]


def test_disjoint_changes_merge(change, story):
    mine = change(story, put("title", "ja", "港"))
    theirs = change(
        story,
        put("title", "fr", "Le grand port"),
        {"op": "move_block", "path": "story.b2", "value": {"after": None}},
    )
    merged = unflatten(merge(flatten(story), flatten(mine), flatten(theirs)))
    assert merged["fields"]["title"] == {"fr": "Le grand port", "ja": "港"}
    assert merged["blocks"]["story"]["order"] == ["b2", "b1"]


def test_the_same_change_twice_is_no_conflict(change, story):
    both = change(story, put("title", "fr", "Port"))
    assert merge(flatten(story), flatten(both), flatten(both)) == flatten(both)


def test_a_true_conflict_shows_base_mine_and_theirs(change, story):
    mine = change(story, put("title", "fr", "Mon port"), put("title", "en", "Mine"))
    theirs = change(story, {"op": "unset", "path": "title", "scope": "fr"})
    with pytest.raises(Clashes) as caught:
        merge(flatten(story), flatten(mine), flatten(theirs))
    assert [clash.as_json() for clash in caught.value.clashes] == [
        {"path": "title", "scope": "fr", "base": "Le port", "mine": "Mon port"}
    ]


def test_translating_a_block_that_was_removed_is_a_conflict(change, story):
    mine = change(story, put("story.b2.text", "ja", "二"))
    theirs = change(story, {"op": "remove_block", "path": "story.b2"})
    for one, other in ((mine, theirs), (theirs, mine)):
        with pytest.raises(Clashes) as caught:
            merge(flatten(story), flatten(one), flatten(other))
        assert ("story.b2.text", "ja") in {(c.path, c.scope) for c in caught.value.clashes}


pairs = st.tuples(st.sampled_from(["title", "lead", "note"]), st.sampled_from(["fr", "ja", "*"]))
values = st.none() | st.text(max_size=3) | st.integers(0, 3) | st.booleans()
flats = st.dictionaries(pairs, values, max_size=6)


@given(base=flats, one=flats, other=flats)
def test_disjoint_merges_commute_and_lose_nothing(base, one, other):
    # Make the two changes disjoint: a pair that both touched keeps its base in `other`.
    touched = changed_pairs(base, one)
    apart = {pair: value for pair, value in other.items() if pair not in touched}
    apart.update({pair: base[pair] for pair in touched if pair in base})
    merged = merge(base, one, apart)
    assert merged == merge(base, apart, one)
    expected = changed_pairs(base, one) | changed_pairs(base, apart)
    assert changed_pairs(base, merged) == expected


@given(base=flats, one=flats, other=flats)
def test_a_merge_either_holds_both_changes_or_names_what_clashes(base, one, other):
    both = changed_pairs(base, one) & changed_pairs(base, other)
    try:
        merged = merge(base, one, other)
    except Clashes as clashes:
        named = {(clash.path, clash.scope) for clash in clashes.clashes}
        assert named
        assert named <= both
    else:
        for pair in both:
            assert (pair in merged) == (pair in one)


@given(data=st.data())
def test_operations_between_two_documents_lead_from_one_to_the_other(types, data):
    def draw_body():
        body = {"fields": {}}
        ids = data.draw(st.lists(st.sampled_from(["b1", "b2", "b3", "b4"]), unique=True))
        operations = [
            block(name, type=data.draw(st.sampled_from(["paragraph", "figure"]))) for name in ids
        ]
        if data.draw(st.booleans()):
            operations.append(put("title", "fr", data.draw(st.sampled_from(["a", "b", None]))))
        return apply_operations(types, types.type("place"), body, operations, TAGS)

    before, after = draw_body(), draw_body()
    operations = operations_between(before, after, types.type("place"))
    assert apply_operations(types, types.type("place"), before, operations, TAGS) == after


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    op=st.sampled_from(["set", "unset", "insert_block", "move_block", "remove_block", "x", None]),
    path=st.sampled_from(
        [
            "title",
            "lead",
            "coords",
            "height",
            "kind",
            "image",
            "near",
            "story",
            "story.b1",
            "story.b1.text",
            "story.b1.image",
            "a.b.c.d",
            "",
            ".",
            7,
        ]
    ),
    scope=st.sampled_from(["fr", "*", "", None, 5, ["fr"]]),
    value=anything,
)
def test_no_operation_of_any_shape_does_anything_but_work_or_be_refused(
    types, op, path, scope, value
):
    base = {
        "fields": {},
        "blocks": {
            "story": {"order": ["b1"], "items": {"b1": {"type": "paragraph", "fields": {}}}}
        },
    }
    operation = {"op": op, "path": path, "scope": scope, "value": value}
    pointer = "/0/"
    try:
        apply_operations(types, types.type("place"), base, [operation], TAGS)
    except OperationRefused as error:
        pointer = error.pointer
    assert pointer.startswith("/0/")
