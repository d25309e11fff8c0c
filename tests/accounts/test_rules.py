"""Who may do what: the table and the question, without a database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_api.accounts.rules import (
    ACTIONS,
    ROLE_ACTIONS,
    SYSTEM,
    Actor,
    Grant,
    allowed_scopes,
    allows,
    visible_types,
)

SCOPES = ["*", "fr", "en", "ja", "zh-Hans"]
TYPES = ["place", "story", "asset"]

grants = st.builds(
    Grant,
    st.sampled_from([*ROLE_ACTIONS]),
    st.one_of(
        st.just(("all",)),
        st.lists(st.sampled_from(SCOPES), min_size=1, max_size=3, unique=True).map(tuple),
    ),
    st.one_of(
        st.just(("all",)),
        st.lists(st.sampled_from(TYPES), min_size=1, max_size=2, unique=True).map(tuple),
    ),
)
questions = st.tuples(
    st.sampled_from(sorted(ACTIONS)),
    st.sampled_from([None, *TYPES]),
    st.lists(st.sampled_from(SCOPES), max_size=3).map(tuple),
)


def person(*held: Grant) -> Actor:
    return Actor("1", "marie", "user", held)


@given(st.lists(grants, max_size=4), grants, questions)
def test_another_grant_never_takes_a_right_away(held, more, question) -> None:  # type: ignore[no-untyped-def]
    action, entry_type, scopes = question
    if allows(person(*held), action, entry_type=entry_type, scopes=scopes):
        assert allows(person(*held, more), action, entry_type=entry_type, scopes=scopes)


@given(st.permutations([Grant("translator", ("ja",)), Grant("editor", ("fr",)), Grant("reader")]))
def test_the_order_of_grants_does_not_matter(held) -> None:  # type: ignore[no-untyped-def]
    assert allows(person(*held), "entry.write", scopes=["ja", "fr"])
    assert not allows(person(*held), "entry.write", scopes=["ja", "en"])


@given(st.lists(grants, max_size=4), questions)
def test_what_is_allowed_with_scopes_is_allowed_for_fewer_of_them(held, question) -> None:  # type: ignore[no-untyped-def]
    action, entry_type, scopes = question
    actor = person(*held)
    if allows(actor, action, entry_type=entry_type, scopes=scopes):
        assert allows(actor, action, entry_type=entry_type, scopes=scopes[1:])
        assert allows(actor, action, entry_type=None, scopes=scopes)
        assert allows(actor, action)


@given(st.lists(grants, max_size=4), st.sampled_from(["entry.read", "entry.write"]))
def test_the_visible_types_are_those_that_the_question_allows(held, action) -> None:  # type: ignore[no-untyped-def]
    actor = person(*held)
    seen = visible_types(actor, action)
    for entry_type in TYPES:
        expected = seen is None or entry_type in seen
        assert allows(actor, action, entry_type=entry_type) == expected


def test_a_translator_of_japanese_writes_japanese_alone() -> None:
    translator = person(Grant("translator", ("ja",)))
    assert allows(translator, "entry.write", entry_type="place", scopes=["ja"])
    for scopes in (["fr"], ["*"], ["ja", "fr"], ["ja", "*"]):
        assert not allows(translator, "entry.write", entry_type="place", scopes=scopes)


def test_a_translator_of_every_language_still_changes_nothing_shared() -> None:
    translator = person(Grant("translator"))
    assert allows(translator, "entry.write", scopes=["fr", "ja"])
    assert not allows(translator, "entry.write", scopes=["*"])
    assert not allows(translator, "entry.delete", entry_type="place")


def test_shared_values_need_the_shared_scope_by_name_or_all() -> None:
    assert not allows(person(Grant("editor", ("fr", "en"))), "entry.write", scopes=["*"])
    assert allows(person(Grant("editor", ("*",))), "entry.write", scopes=["*"])
    assert allows(person(Grant("editor")), "entry.write", scopes=["*", "fr"])


def test_deleting_an_entry_takes_every_language_so_it_needs_the_shared_scope() -> None:
    assert not allows(person(Grant("editor", ("fr",))), "entry.delete", entry_type="place")
    assert allows(person(Grant("editor", ("*", "fr"))), "entry.delete", entry_type="place")


def test_a_reviewer_approves_their_own_scopes_and_writes_nothing() -> None:
    reviewer = person(Grant("reviewer", ("ja",)))
    assert allows(reviewer, "entry.approve", scopes=["ja"])
    assert not allows(reviewer, "entry.approve", scopes=["fr"])
    assert not allows(reviewer, "entry.approve", scopes=["*"])
    assert not allows(reviewer, "entry.write", scopes=["ja"])


def test_the_media_role_writes_what_describes_assets_and_no_other_entry() -> None:
    media = person(Grant("media"))
    assert allows(media, "entry.write", entry_type="asset", scopes=["fr", "*"])
    assert not allows(media, "entry.write", entry_type="story", scopes=["fr"])
    assert allows(media, "asset.delete")


def test_two_grants_cover_together_what_neither_covers_alone() -> None:
    actor = person(Grant("translator", ("ja",)), Grant("translator", ("en",), ("place",)))
    assert allows(actor, "entry.write", entry_type="place", scopes=["ja", "en"])
    assert not allows(actor, "entry.write", entry_type="story", scopes=["ja", "en"])
    assert allowed_scopes(actor, "entry.write", SCOPES, entry_type="story") == {"ja"}


def test_nobody_but_a_device_is_a_device() -> None:
    assert not allows(SYSTEM, "device.self")
    for role, actions in ROLE_ACTIONS.items():
        assert ("device.self" in actions) == (role == "device")
    assert ROLE_ACTIONS["device"] == {"device.self"}


def test_the_system_may_do_everything_else_with_every_type_and_scope() -> None:
    for action in ACTIONS - {"device.self"}:
        assert allows(SYSTEM, action, entry_type="place", scopes=SCOPES)


def test_every_action_is_some_roles_and_every_roles_actions_are_known() -> None:
    assert frozenset().union(*ROLE_ACTIONS.values()) == ACTIONS


def test_asking_for_an_action_that_does_not_exist_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"entry\.wirte"):
        allows(SYSTEM, "entry.wirte")
