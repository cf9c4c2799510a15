"""Settings, read from the environment once. `docs/operations.md` lists every variable."""

from datetime import timedelta
from typing import Any

import django_stubs_ext
import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from kombu import Queue

from config import brokers, databases, logs, sign_in, telemetry
from config.env import BASE_DIR, STATE_DIR, Env, is_weak
from config.local import servers

django_stubs_ext.monkeypatch()  # lets Django's generic classes be written with their types

env = Env()

PRODUCTION = env.production
DEBUG = env.boolean("DEBUG", default=False)
SECRET_KEY = env.secret("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS", default=[])
API_KEY_PEPPERS = env.peppers("API_KEY_PEPPERS")
BASE_URL = env.required("BASE_URL", lambda: "http://localhost:8000").rstrip("/")
ALLOWED_HOSTS = env.required("ALLOWED_HOSTS", lambda: "127.0.0.1,localhost,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [BASE_URL] if PRODUCTION else []
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", default=0)
WEB_THREADS = env.integer("WEB_THREADS", default=4)
METRICS_TOKEN = env.text("METRICS_TOKEN", default="")
METRICS_FOLDER = env.text("PROMETHEUS_MULTIPROC_DIR", default="")
REQUEST_TIMEOUT_SECONDS = env.integer("REQUEST_TIMEOUT_SECONDS", default=5)
# Longer than proxies keep idle connections (nginx and most load balancers: 60 s), or they would reuse closed ones.
KEEP_ALIVE_SECONDS = env.integer("KEEP_ALIVE_SECONDS", default=75)
SEND_TIMEOUT_SECONDS = env.integer("SEND_TIMEOUT_SECONDS", default=30)
BREACHED_PASSWORDS = env.text("BREACHED_PASSWORDS", default="")
EMAIL_VERIFICATION = env.boolean("EMAIL_VERIFICATION", default=PRODUCTION)
OPERATOR_SECOND_FACTOR = env.boolean("OPERATOR_SECOND_FACTOR", default=True)
OPERATOR_APPROVAL_LIMIT = env.amount_or_none("OPERATOR_APPROVAL_LIMIT", default="100")
ANONYMOUS_RATE_LIMIT = env.integer("ANONYMOUS_RATE_LIMIT", default=60)
SIGN_IN_PROVIDERS = sign_in.providers(env)
SIGN_IN_ALLOWED_NETWORKS = env.networks("SIGN_IN_ALLOWED_NETWORKS")
WEBHOOK_ALLOWED_NETWORKS = env.networks("WEBHOOK_ALLOWED_NETWORKS")
USAGE_RETENTION_MONTHS = env.integer("USAGE_RETENTION_MONTHS", default=0)
if USAGE_RETENTION_MONTHS not in (0, *range(2, 1201)):  # with one month, ids would count twice within 35 days
    raise ImproperlyConfigured(f"USAGE_RETENTION_MONTHS is {USAGE_RETENTION_MONTHS}: say 0 for none, or 2 to 1200.")

EVENTS_RETENTION_DAYS = env.integer("EVENTS_RETENTION_DAYS", default=400)
if EVENTS_RETENTION_DAYS not in (0, *range(60, 36_501)):  # deliveries of 30 days name their events
    raise ImproperlyConfigured(f"EVENTS_RETENTION_DAYS is {EVENTS_RETENTION_DAYS}: say 0 for ever, or 60 to 36500.")

DATABASE_URL = env.required("DATABASE_URL", servers.database_url)
DATABASE_OWNER_URL = env.text("DATABASE_OWNER_URL", default="")
DATABASE_REPLICA_URL = env.text("DATABASE_REPLICA_URL", default="")
DATABASE_FAILOVER = env.boolean("DATABASE_FAILOVER", default=False)
DATABASE_REPLICA_LAG_SECONDS = env.integer("DATABASE_REPLICA_LAG_SECONDS", default=10)
REDIS_URL = env.required("REDIS_URL", servers.redis_url)
EMAIL_URL = env.required("EMAIL_URL", lambda: "consolemail://")
PAYMENT_GATEWAY = env.required("PAYMENT_GATEWAY", lambda: "sandbox")
STRIPE_SECRET_KEY = env.stripe_key("STRIPE_SECRET_KEY") if PAYMENT_GATEWAY == "stripe" else ""
STRIPE_WEBHOOK_SECRETS = env.words("STRIPE_WEBHOOK_SECRETS", default=[])
STRIPE_API_BASE = env.text("STRIPE_API_BASE", default="https://api.stripe.com").rstrip("/")
OPERATOR_EMAIL = env.text("OPERATOR_EMAIL", default="")
RECHARGE_COOLDOWN_SECONDS = env.integer("RECHARGE_COOLDOWN_SECONDS", default=600)
FALLBACK_PLAN = env.text("FALLBACK_PLAN", default="")
TRIAL_ENDS_WITHOUT_CARD = env.text("TRIAL_ENDS_WITHOUT_CARD", default="canceled")
if TRIAL_ENDS_WITHOUT_CARD not in ("canceled", "past_due"):
    raise ImproperlyConfigured(f"TRIAL_ENDS_WITHOUT_CARD is {TRIAL_ENDS_WITHOUT_CARD!r}: say canceled or past_due.")
if PAYMENT_GATEWAY not in ("", "sandbox", "stripe"):
    raise ImproperlyConfigured(f"PAYMENT_GATEWAY is {PAYMENT_GATEWAY!r}: say sandbox or stripe.")
SELLER = {
    "code": env.text("SELLER_CODE", default="main"),
    "name": env.text("SELLER_NAME", default="Tollgate"),
    "line1": env.text("SELLER_LINE1", default=""),
    "line2": env.text("SELLER_LINE2", default=""),
    "postal_code": env.text("SELLER_POSTAL_CODE", default=""),
    "city": env.text("SELLER_CITY", default=""),
    "state": env.text("SELLER_STATE", default=""),
    "country": env.text("SELLER_COUNTRY", default="").upper(),
    "vat_id": env.text("SELLER_VAT_ID", default=""),
    "tax_number": env.text("SELLER_TAX_NUMBER", default=""),
    "email": env.text("SELLER_EMAIL", default=""),
    "note": env.text("SELLER_NOTE", default=""),
    "timezone": env.text("SELLER_TIMEZONE", default="UTC"),
}
# Accounts of the company's books, by kind of ledger entry: what stands against the customers' credits in the journal.
FINANCE_ACCOUNTS = env.mapping(
    "FINANCE_ACCOUNTS",
    default={
        "credits": "customer credits",
        "purchase": "receivables",
        "grant": "promotions",
        "usage": "revenue",
        "capture": "revenue",
        "subscription": "revenue",
        "refund": "receivables",
        "chargeback": "receivables",
        "expiry": "breakage",
        "reversal": "corrections",
        "adjustment": "corrections",
        "import": "opening balances",
        "rounding": "rounding",
        "tax": "tax",
    },
)
INVOICE_PREFIXES = {
    "invoice": env.text("INVOICE_PREFIX", default="INV"),
    "credit_note": env.text("CREDIT_NOTE_PREFIX", default="CN"),
}
INVOICE_DUE_DAYS = env.integer("INVOICE_DUE_DAYS", default=0)
INVOICE_FONTS = env.text("INVOICE_FONTS", default="")
VAT_ID_REGISTER = env.text("VAT_ID_REGISTER", default="")
TAX_PROVIDER = env.text("TAX_PROVIDER", default="billing.invoicing.tax.by_table")
env.refuse(is_weak(SECRET_KEY), "SECRET_KEY is weak: take at least 32 random characters.")
env.refuse(DEBUG, "DEBUG is on: it shows settings and code to anyone.")
env.refuse(not BASE_URL.startswith("https://"), "BASE_URL doesn't start with https://.")
env.refuse(PAYMENT_GATEWAY == "sandbox", "PAYMENT_GATEWAY is sandbox: anyone could buy credits without money.")
env.refuse("_test_" in STRIPE_SECRET_KEY[:8], "STRIPE_SECRET_KEY is a key of Stripe's sandbox: take a live one.")
env.refuse(not OPERATOR_SECOND_FACTOR, "OPERATOR_SECOND_FACTOR is off: a password alone would open the admin.")
env.check()

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
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

# A request that takes longer was answered with 503 already. Tasks may take long; commands as long as they like.
STATEMENT_SECONDS = {
    "web": env.integer("DATABASE_STATEMENT_TIMEOUT_SECONDS", default=REQUEST_TIMEOUT_SECONDS),
    "worker": env.integer("DATABASE_TASK_TIMEOUT_SECONDS", default=600),
}
PREPARE = env.boolean("DATABASE_PREPARED_STATEMENTS", default=True)
DATABASES: dict[str, Any] = {
    "default": databases.connection(
        DATABASE_URL, prepare=PREPARE, statement_seconds=STATEMENT_SECONDS.get(databases.process(), 0)
    )
}
if DATABASE_OWNER_URL:  # it changes tables alone, which may have to wait for others
    owner = databases.connection(DATABASE_OWNER_URL, prepare=PREPARE, statement_seconds=0)
    DATABASES["owner"] = {**owner, "TEST": {"MIRROR": "default"}}
if DATABASE_REPLICA_URL:
    DATABASES["replica"] = databases.connection(
        DATABASE_REPLICA_URL,
        prepare=PREPARE,
        statement_seconds=STATEMENT_SECONDS.get(databases.process(), 0),
        libpq=databases.REPLICA_LIMITS,
    )
    DATABASE_ROUTERS = ["accounts.lib.replica.Router"]
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
    }
}

# People: Argon2, sign-in by email, sessions in the database.
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
# Wrong passwords and codes are counted in `accounts.sign_in_limits`, the API's with them.
ACCOUNT_RATE_LIMITS = {"login_failed": None}
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
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = env.boolean("SECURE_SSL_REDIRECT", default=PRODUCTION)
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None

# Tokens. The signing keys are rows (accounts.SigningKey), so simplejwt's own key settings stay unused.
ACCESS_TOKEN_LIFETIME = timedelta(minutes=5)
SIMPLE_JWT = {"ALGORITHM": "RS256", "ACCESS_TOKEN_LIFETIME": ACCESS_TOKEN_LIFETIME, "USER_ID_CLAIM": "sub"}
REFRESH_TOKEN_LIFETIME = timedelta(days=30)
REFRESH_GRACE_SECONDS = env.integer("REFRESH_GRACE_SECONDS", default=10)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apikeys.authentication.ApiKeyAuthentication",
        "accounts.authentication.TokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["apikeys.throttling.Throttle"],
    "DEFAULT_PARSER_CLASSES": ["config.api.json.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["config.api.json.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "config.api.pagination.Pagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "config.schema.Schema",
    "EXCEPTION_HANDLER": "config.api.errors.exception_handler",
    "COERCE_DECIMAL_TO_STRING": False,
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.api.json.JSONOnly",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Tollgate",
    "DESCRIPTION": "Organizations, API keys, credits and usage.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.schema.add_event_types",
    ],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "DeliveryStatusEnum": "accounts.models.webhooks.Delivery.Status",
        "WebhookEndpointStatusEnum": "accounts.models.webhooks.WebhookEndpoint.Status",
        "HoldStatusEnum": "billing.models.holds.Hold.Status",
        "InvitationStatusEnum": "accounts.models.invitations.STATUSES",
        "RoleEnum": "accounts.models.organizations.Membership.Role",
        "IntervalEnum": "billing.models.catalog.Interval",
        "SubscriptionStatusEnum": "billing.models.subscriptions.Subscription.Status",
        "OrganizationStatusEnum": "accounts.models.organizations.Organization.Status",
    },
}

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
STATIC_ROOT = env.path("STATIC_ROOT", default=STATE_DIR / "static") if PRODUCTION else None
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

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", default=brokers.of_redis(REDIS_URL))
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_TRANSPORT_OPTIONS = brokers.transport_options(
    CELERY_BROKER_URL,
    seconds=1 if databases.process() == "web" else 5,  # a request waits for it
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Sending webhooks waits for other people's servers, so it has a queue of its own. A worker without --queues does both.
CELERY_TASK_QUEUES = [Queue(name, routing_key=name) for name in ("celery", "webhooks")]
CELERY_TASK_ROUTES = {"accounts.tasks.deliver_webhooks": {"queue": "webhooks", "routing_key": "webhooks"}}
CELERY_BEAT_SCHEDULE = {
    "a sign of life": {"task": "usage.tasks.beat", "schedule": 30.0},
    "usage partitions ahead": {"task": "usage.tasks.make_partitions", "schedule": crontab(minute=7)},
    # Months of all time zones end on quarters of an hour. Usage that was underway then is given five minutes.
    "months that have ended": {"task": "usage.tasks.close_months", "schedule": crontab(minute="5,20,35,50")},
    "finance package of the last month": {"task": "usage.tasks.make_finance_package", "schedule": crontab(minute=13)},
    "usage past its retention": {"task": "usage.tasks.retire_partitions", "schedule": crontab(minute=37)},
    "accounts of which something is due": {"task": "billing.tasks.expire_due_credits", "schedule": 60.0},
    "alerts without a posting": {"task": "billing.tasks.sweep_alerts", "schedule": 60.0},
    "accounts to recharge": {"task": "billing.tasks.recharge_accounts", "schedule": 10.0},
    "clocks that were moved ahead": {"task": "usage.tasks.run_moved_clocks", "schedule": 10.0},
    "subscriptions to renew": {"task": "billing.tasks.renew_subscriptions", "schedule": 60.0},
    "requests of operators that nobody decided": {
        "task": "billing.tasks.expire_change_requests",
        "schedule": crontab(minute=13),
    },
    "refunds left pending": {"task": "billing.tasks.settle_pending_refunds", "schedule": 60.0},
    "VAT ids not checked": {"task": "billing.tasks.check_vat_ids", "schedule": 60.0},
    "papers without a document": {"task": "billing.tasks.make_documents", "schedule": 30.0},
    "invoices to collect": {"task": "billing.tasks.collect_invoices", "schedule": 60.0},
    "payments left pending": {"task": "billing.tasks.settle_pending_payments", "schedule": 60.0},
    "events of the payment gateway": {"task": "billing.tasks.poll_gateway_events", "schedule": 60.0},
    "events not handled": {"task": "billing.tasks.handle_gateway_events", "schedule": 10.0},
    "comparison with the payment gateway": {"task": "billing.tasks.compare_gateway", "schedule": crontab(minute=23)},
    "cards that expire": {"task": "billing.tasks.announce_expiring_cards", "schedule": crontab(minute=53)},
    "idempotency records past": {
        "task": "accounts.tasks.purge_idempotency_records",
        "schedule": crontab(minute=17),
    },
    "events not published": {"task": "accounts.tasks.publish_events", "schedule": 5.0},
    "seals of the events": {"task": "accounts.tasks.announce_seals", "schedule": crontab(hour=0, minute=11)},
    "ledger entries not sealed": {"task": "billing.tasks.seal_ledgers", "schedule": 30.0},
    "ledgers not sealed": {"task": "billing.tasks.seal_all_ledgers", "schedule": crontab(minute=43)},
    "seals of the ledgers": {"task": "billing.tasks.announce_ledger_seals", "schedule": crontab(hour=0, minute=13)},
    "exports to make": {"task": "accounts.tasks.make_exports", "schedule": 30.0},
    "exports past their week": {"task": "accounts.tasks.purge_exports", "schedule": crontab(minute=33)},
    "people to erase": {"task": "apikeys.tasks.erase_people", "schedule": crontab(minute=3)},
    "closed organizations to forget": {"task": "accounts.tasks.forget_organizations", "schedule": crontab(minute=13)},
    "webhooks not delivered": {"task": "accounts.tasks.deliver_webhooks", "schedule": 5.0},
    "webhooks to send again": {"task": "accounts.tasks.redeliver_webhooks", "schedule": 60.0},
    "deliveries past their log": {"task": "accounts.tasks.purge_deliveries", "schedule": crontab(minute=57)},
    "emails not sent": {"task": "accounts.tasks.send_emails", "schedule": 10.0},
    "codes past their time": {"task": "accounts.tasks.purge_email_codes", "schedule": crontab(minute=47)},
    "failed sign-ins past their day": {"task": "accounts.tasks.purge_sign_in_failures", "schedule": crontab(minute=47)},
    "token families past their life": {"task": "accounts.tasks.purge_token_families", "schedule": crontab(minute=27)},
    "rate limits of who stopped calling": {"task": "apikeys.tasks.purge_rate_counts", "schedule": crontab(minute=47)},
}

vars().update(environ.Env.email_url_config(EMAIL_URL))
if EMAIL_URL.startswith("consolemail:"):
    EMAIL_BACKEND = "config.local.console.EmailBackend"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", default="Tollgate <no-reply@localhost>")
