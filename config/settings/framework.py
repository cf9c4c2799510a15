"""Django itself: apps, middleware, templates, pages' security, static files, logs, languages, email."""

import environ
from csp.constants import NONE, SELF

from config import logs, telemetry
from config.settings.environment import BASE_DIR, EMAIL_URL, PRODUCTION, TRUSTED_PROXIES

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
AUTH_USER_MODEL = "accounts.User"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "config.apps.AdminConfig",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django.forms",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "accounts",
    "apikeys",
    "billing",
    "usage",
]

MIDDLEWARE = [
    "config.middleware.RequestId",
    "config.health.Probes",
    "config.metrics.Metrics",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.CacheControl",
    "config.middleware.Language",
    "config.middleware.BodyLimit",
    "config.parameters.KnownParameters",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.middleware.EventOrigin",
    "django.contrib.messages.middleware.MessageMiddleware",
    "accounts.pages.sessions.TrackSessions",
    "accounts.pages.visits.ReadOnlyVisits",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
if telemetry.is_on():
    MIDDLEWARE.insert(MIDDLEWARE.index("config.metrics.Metrics"), "config.tracing.Requests")

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["accounts.templatetags.components"],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"  # our own templates of widgets, before Django's

SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
CSRF_FAILURE_VIEW = "config.problems.csrf_failure"
BODY_LIMIT_BYTES = 1 << 20
USAGE_BODY_LIMIT_BYTES = 4 << 20
DATA_UPLOAD_MAX_MEMORY_SIZE = USAGE_BODY_LIMIT_BYTES
FILE_UPLOAD_HANDLERS = ["config.uploads.RefuseFiles"]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "config.fonts.FontFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION

LOGGING = logs.configure(production=PRODUCTION)
TIME_ZONE = "UTC"
USE_TZ = True
# Pages and emails are translated (locale/), the API's texts are not. Numbers have one form in all languages.
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LANGUAGE_COOKIE_NAME = "language"
FORMAT_MODULE_PATH = ["config.formats"]

vars().update(environ.Env.email_url_config(EMAIL_URL))
if EMAIL_URL.startswith("consolemail:"):
    EMAIL_BACKEND = "config.local.console.EmailBackend"
EMAIL_TIMEOUT = 10
