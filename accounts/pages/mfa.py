"""How allauth's second factors work here."""

from urllib.parse import urlsplit

import qrcode
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from qrcode.image.svg import SvgPathImage

from accounts import second_factors, security
from accounts.lib import encryption
from accounts.models import User

PURPOSE = "second factor"
ISSUER = "Tollgate"


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    def encrypt(self, text: str) -> str:
        """The seeds of authenticator apps and of recovery codes are encrypted at rest."""
        return encryption.encrypt(text.encode(), purpose=PURPOSE).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.decrypt(encrypted_text.encode(), purpose=PURPOSE).decode()

    def get_totp_issuer(self) -> str:
        return ISSUER

    def build_totp_svg(self, url: str) -> str:
        """An SVG to write into the page, because our content security policy allows no `data:` images."""
        image = qrcode.make(url, image_factory=SvgPathImage)
        text: str = image.to_string(encoding="unicode")
        return text

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """The last factor stays while an organization requires one."""
        user = authenticator.user
        return second_factors.of(user).count() > 1 or not (user.is_staff or security.requires_factor(user))

    def generate_authenticator_name(self, user: User, type: str) -> str:
        count = Authenticator.objects.filter(user=user, type=type).count()
        return f"Passkey {count + 1}" if count else "Passkey"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Passkeys belong to the host of BASE_URL, whatever Host a request names."""
        return {"id": urlsplit(settings.BASE_URL).hostname or "", "name": ISSUER}
