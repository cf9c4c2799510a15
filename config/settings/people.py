"""People: passwords by Argon2, sign-in by email (allauth), sessions in the database, tokens."""

from datetime import timedelta

from config.settings.environment import PRODUCTION, TRUSTED_PROXIES

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"accounts.lib.passwords.{name}"} for name in ("LongEnough", "HardToGuess", "NotBreached")
]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_ADAPTER = "accounts.pages.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "signup": "accounts.pages.forms.SignupForm",
    "reset_password": "accounts.pages.forms.ResetPasswordForm",
    "change_password": "accounts.pages.forms.ChangePasswordForm",
}
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_METHODS = {"password", "mfa"}
# Wrong passwords, codes and links are counted in `accounts.sign_in_limits`, the API's with them. An address gets five
# links to choose a password in ten minutes, whoever asks.
ACCOUNT_RATE_LIMITS = {"login_failed": None, "reset_password": "20/m/ip,5/10m/key"}
MFA_FORMS = {
    "authenticate": "accounts.pages.factors.AuthenticateCodeForm",
    "reauthenticate": "accounts.pages.factors.ReauthenticateCodeForm",
    "login_webauthn": "accounts.pages.factors.PasskeyForm",
    "authenticate_webauthn": "accounts.pages.factors.AuthenticatePasskeyForm",
    "reauthenticate_webauthn": "accounts.pages.factors.ConfirmPasskeyForm",
    "add_webauthn": "accounts.pages.factors.AddPasskeyForm",
}
MFA_ADAPTER = "accounts.pages.mfa.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # taking over an account whose address was not proved removes its factors
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
SESSION_ENGINE = "accounts.lib.session_store"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION

# Tokens. The signing keys are rows (accounts.SigningKey), so simplejwt's own key settings stay unused.
ACCESS_TOKEN_LIFETIME = timedelta(minutes=5)
SIMPLE_JWT = {"ALGORITHM": "RS256", "ACCESS_TOKEN_LIFETIME": ACCESS_TOKEN_LIFETIME, "USER_ID_CLAIM": "sub"}
REFRESH_TOKEN_LIFETIME = timedelta(days=30)
