import base64

from tests.conftest import Api


def basic(auth_id: str, token: str) -> Api:
    """A client that signs in as Plivo's clients do."""
    client = Api()
    client.headers = {"authorization": "Basic " + base64.b64encode(f"{auth_id}:{token}".encode()).decode()}
    return client
