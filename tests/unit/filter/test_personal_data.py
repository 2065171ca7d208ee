"""Personal data: what is found, and what only looks like it."""

import pytest

from sentisynth_hub.filter.personal_data import PersonalData


FOUND = [
    ("@user and @lalettan", "handle"),  # a mask beside a person
    ("@username_fan padam", "handle"),
    ("@userfriendly.app", "handle"),
    ("@usha tu toh", "handle"),
    ("write to jo.doe+x@mail.example.org today", "email"),
    ("@lalettan super padam", "handle"),
    ("padam kollam (@കൊച്ചി_boy) 😍", "handle"),
    ("@ waglenikhil nation saw talent", "handle"),  # as a tokeniser leaves them
    ("RT @ shehla bilkul sahi", "handle"),
    ("@ bkunalraj @ rashid tu toh", "handle"),
    ("kya baat @ Shehla _ Rashid", "handle"),
    ("aaj @ NikhilJakhar14 ne", "handle"),
    ("my favourite @ AseesKaur song", "handle"),
    ("call +91 98765 43210 now", "phone"),
]
NOT_FOUND = [
    "@user so true @user",  # what anonymisers put in the place of a handle
    "RT @USER: bilkul sahi @USER_12",
    "@ user @ user kya baat",
    "gracias @usuario 😍",
    "@mention @username @anonymous @xxx",
    "(@User1) നന്ദി @user2",
    "meet @ noon",
    "kick off @ club insanity",
    "see you @ the studio",
    "1:59 @ 0:26 best scene",
    "2 @ 5 rupees",
    "rated 10/10 in 2019, 1234567 likes is no number to call? ok",
    "സിനിമ @ തിയേറ്റർ",
]


@pytest.mark.parametrize(("text", "kind"), FOUND)
def test_it_is_found_and_named(text: str, kind: str) -> None:
    assert PersonalData(("IN",)).find(text) == kind


@pytest.mark.parametrize("text", NOT_FOUND)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert PersonalData(("IN",)).find(text) is None
