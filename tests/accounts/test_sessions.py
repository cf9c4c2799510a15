"""Sessions of the dashboard are rows by a digest of the key in the cookie: what is stored opens nothing."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts import sign_ins
from accounts.lib.session_store import DIGEST_LENGTH, SessionStore, digest
from accounts.models import BrowserSession, User
from tests.accounts.test_second_factors import signed_in
from tests.leaks import tables_with

COOKIE = settings.SESSION_COOKIE_NAME
pytestmark = pytest.mark.django_db


def stored() -> list[str]:
    return list(Session.objects.values_list("session_key", flat=True))


def made(**data: Any) -> SessionStore:
    session = SessionStore()
    session.update(data)
    session.create()
    session.update(data)
    session.save()
    return session


def test_the_row_is_named_by_a_digest_of_the_key() -> None:
    session = made(color="red")
    key = str(session.session_key)
    assert stored() == [digest(key)]
    assert len(digest(key)) == DIGEST_LENGTH == Session._meta.get_field("session_key").max_length
    assert tables_with(key) == []
    assert session.exists(key)
    assert not session.exists(digest(key))
    assert dict(SessionStore(key).items()) == {"color": "red"}
    assert Session.objects.get().get_decoded() == {"color": "red"}


def test_a_key_is_created_once_and_a_deleted_session_is_not_saved() -> None:
    session = made(color="red")
    twin = SessionStore(session.session_key)
    with pytest.raises(CreateError):
        twin.save(must_create=True)
    twin["color"] = "blue"
    session.delete()
    with pytest.raises(UpdateError):
        twin.save()
    session.delete()
    SessionStore().delete()
    assert stored() == []


def test_a_new_key_takes_the_data_along_and_the_old_one_ends() -> None:
    session = made(color="red")
    before = str(session.session_key)
    session.cycle_key()
    session.save()
    after = str(session.session_key)
    assert (stored(), session["color"]) == ([digest(after)], "red")
    assert SessionStore(before).load() == {}
    session.flush()
    assert (stored(), session.session_key) == ([], None)


def test_a_key_that_somebody_chose_is_not_taken_over() -> None:
    session = SessionStore("chosenbyanattackerchosenbyanatta")
    session["color"] = "red"
    session.save()
    assert session.session_key != "chosenbyanattackerchosenbyanatta"
    assert stored() == [digest(str(session.session_key))]


def test_expired_sessions_open_nothing_and_are_cleared() -> None:
    kept, expired = made(color="red"), made(color="blue")
    Session.objects.filter(session_key=digest(str(expired.session_key))).update(expire_date=timezone.now())
    assert SessionStore(expired.session_key).load() == {}
    call_command("clearsessions")
    assert stored() == [digest(str(kept.session_key))]


def test_the_asynchronous_methods_use_the_digest_too() -> None:
    session = SessionStore()
    async_to_sync(session.aset)("color", "red")
    async_to_sync(session.asave)()
    key = str(session.session_key)
    assert stored() == [digest(key)]
    assert async_to_sync(session.aexists)(key)
    assert async_to_sync(SessionStore(key).aget)("color") == "red"
    async_to_sync(session.acycle_key)()
    assert stored() == [digest(str(session.session_key))]
    async_to_sync(session.aflush)()
    assert stored() == []


def test_nothing_that_is_stored_signs_in(alice: User) -> None:
    browser = signed_in(alice)
    assert browser.get("/profile/").status_code == 200
    key = browser.cookies[COOKIE].value
    assert list(BrowserSession.objects.values_list("session_key", flat=True)) == stored() == [digest(key)]
    thief = Client()
    for name in stored():
        thief.cookies[COOKIE] = name
        assert thief.get("/profile/").status_code == 302
    thief.cookies[COOKIE] = key
    assert thief.get("/profile/").status_code == 200


def test_a_session_of_version_0_1_has_ended_and_is_forgotten(alice: User) -> None:
    """The row's name is the key in the cookie. Whoever has it signs in again."""
    current = signed_in(alice)
    old = db.SessionStore()
    old.update(dict(current.session.items()))
    old.create()
    key = str(old.session_key)
    BrowserSession.objects.create(user=alice, session_key=key, last_used_at=timezone.now())
    browser = Client()
    browser.cookies[COOKIE] = key
    assert browser.get("/profile/")["Location"] == "/accounts/login/?next=/profile/"
    assert sign_ins.purge(timezone.now()) == 1
    assert stored() == [digest(current.cookies[COOKIE].value)]
    assert current.get("/profile/").status_code == 200
