"""The normal form of an email is decided in Python. The database checks the case of ASCII letters alone.

The former constraints used PostgreSQL's `lower()`, which knows other letters than Python's.
"""

from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Collate, Lower

import accounts.models.fields
from accounts.lib import mailboxes, migrating

IN_LOWER_CASE = Q(email=Lower(Collate("email", "C")))


def normalize(apps, schema_editor):
    """Addresses with a domain that is not in ASCII. Where the normal form has an account too, both stay as they are."""
    for model in (apps.get_model("accounts", "User"), apps.get_model("accounts", "Invitation")):
        for row in model.objects.filter(email__regex=r"@.*[^\x01-\x7f]").iterator():
            try:
                email = mailboxes.normalize(row.email)
            except ValueError:
                continue
            if not model.objects.filter(email=email).exists():
                model.objects.filter(pk=row.pk).update(email=email)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.AlterField(
            "user",
            "email",
            accounts.models.fields.EmailField(
                error_messages={"unique": "This email has an account already."}, max_length=250, unique=True
            ),
        ),
        migrations.AlterField("invitation", "email", accounts.models.fields.EmailField(max_length=250)),
        *migrating.add_check(
            "user", "accounts_user", models.CheckConstraint(condition=IN_LOWER_CASE, name="user_email_normal")
        ),
        *migrating.drop_constraint("user", "accounts_user", "user_email_lower_case"),
        *migrating.add_check(
            "invitation",
            "accounts_invitation",
            models.CheckConstraint(condition=IN_LOWER_CASE, name="invitation_email_normal"),
        ),
        *migrating.drop_constraint("invitation", "accounts_invitation", "invitation_email_lower_case"),
        migrations.RunPython(normalize, migrations.RunPython.noop),
    ]
