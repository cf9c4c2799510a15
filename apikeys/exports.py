"""The API keys in an export, without secrets and digests."""

from accounts.exports.contents import beneath
from accounts.exports.sections import Section, of_organization, of_person
from apikeys.models import ApiKey, ApiKeySecret

SECRET = frozenset({"digest", "pepper"})

of_organization(
    Section("api_keys", ApiKey.objects.within),
    Section(
        "api_key_secrets",
        lambda organization: ApiKeySecret.objects.filter(key__organization__in=beneath(organization)),
        without=SECRET,
    ),
)
of_person(Section("api_keys", lambda user: ApiKey.objects.filter(created_by=user)))
