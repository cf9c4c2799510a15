import pytest
from django.test import Client

from accounts.models import User
from tests import factories
from tests.browser import signed_in


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create_superuser(f"{factories.unique('operator')}@example.com", "x")


@pytest.fixture
def operator(superuser: User) -> Client:
    return signed_in(superuser)
