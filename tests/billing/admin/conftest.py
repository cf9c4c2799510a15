import pytest
from django.test import Client

from accounts.models import User
from tests import factories


@pytest.fixture
def operator(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser(f"{factories.unique('operator')}@example.com", "x"))
    return client
