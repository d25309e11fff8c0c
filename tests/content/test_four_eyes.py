"""Four eyes: who wrote a text may not be the one who approves it, unless somebody did before."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from content_api.accounts.rules import Grant
from content_api.content.approvals import FourEyes, approve, approve_scopes, own_texts, withdraw
from content_api.content.claims import make_claim
from content_api.content.service import create_entry, save_entry
from content_api.content.types import ContentTypes
from tests.content.conftest import person, put

MARIE = person(Grant("editor"), Grant("reviewer"), name="marie")
ADA = person(Grant("editor"), Grant("reviewer"), name="ada")


class Case:
    """An entry that two people write and approve, each as both may."""

    def __init__(self, session: Session, types: ContentTypes) -> None:
        self.session, self.types = session, types
        made = create_entry(session, MARIE, "place", [put("title", "fr", "un")], types=types)
        self.entry, self.rev = made.entry_id, made.rev

    def writes(self, who: object, scope: str, value: str) -> int:
        """One more revision; its number."""
        operations = [put("title", scope, value)]
        saved = save_entry(self.session, who, self.entry, self.rev, operations, types=self.types)
        self.rev = saved.rev
        return saved.rev

    def approves(self, who: object, scope: str, rev: int) -> None:
        """Approve with four eyes asked for."""
        approve(self.session, who, self.entry, scope, rev, four_eyes=True, types=self.types)


@pytest.fixture
def case(content: Session, types: ContentTypes) -> Case:
    """An entry whose French title Marie wrote."""
    return Case(content, types)


def test_who_wrote_it_is_refused_and_somebody_else_is_not(case: Case) -> None:
    with pytest.raises(FourEyes, match="somebody else"):
        case.approves(MARIE, "fr", 1)
    case.approves(ADA, "fr", 1)
    case.approves(MARIE, "fr", 1)


def test_other_languages_of_the_same_entry_are_not_theirs(case: Case) -> None:
    rev = case.writes(ADA, "ja", "一")
    case.approves(MARIE, "ja", rev)
    with pytest.raises(FourEyes, match="in fr"):
        approve_scopes(
            case.session, MARIE, case.entry, ["fr", "ja"], rev, four_eyes=True, types=case.types
        )


def test_what_was_approved_before_may_be_approved_on(case: Case) -> None:
    case.approves(ADA, "fr", 1)
    rev = case.writes(ADA, "fr", "deux")
    case.approves(MARIE, "fr", rev)
    assert own_texts(case.session, MARIE, case.entry, rev) == set()
    assert own_texts(case.session, ADA, case.entry, rev) == set()


def test_an_older_text_of_ones_own_that_nobody_approved_stays_ones_own(case: Case) -> None:
    rev = case.writes(ADA, "fr", "deux")
    approve(case.session, MARIE, case.entry, "fr", rev, types=case.types)
    with pytest.raises(FourEyes):
        case.approves(MARIE, "fr", 1)


@pytest.mark.parametrize("how", ["withdrawn", "moved back"])
def test_an_approval_that_was_taken_back_approves_nothing(case: Case, how: str) -> None:
    case.approves(ADA, "fr", 1)
    rev = case.writes(MARIE, "fr", "deux")
    case.approves(ADA, "fr", rev)
    if how == "withdrawn":
        withdraw(case.session, ADA, case.entry, "fr", types=case.types)
    else:
        case.approves(ADA, "fr", 1)
    with pytest.raises(FourEyes):
        case.approves(MARIE, "fr", rev)


def test_nobody_calls_their_own_translation_reviewed(case: Case) -> None:
    case.writes(MARIE, "ja", "一")
    claim = {"path": "title", "language": "ja", "state": "reviewed", "types": case.types}
    with pytest.raises(FourEyes, match="yourself"):
        make_claim(case.session, MARIE, case.entry, **claim, four_eyes=True)
    made = make_claim(case.session, ADA, case.entry, **claim, four_eyes=True)
    assert made.state == "reviewed"
    make_claim(case.session, MARIE, case.entry, **{**claim, "state": "translated"}, four_eyes=True)
