from django.db import migrations, models


class Migration(migrations.Migration):
    """Beside running requests: no row is rewritten, and one of before starts its window anew."""

    dependencies = [("apikeys", "0004_budget_index")]

    operations = [migrations.AddField("ratewindow", "seconds", models.IntegerField(db_default=0))]
