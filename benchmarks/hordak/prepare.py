"""Makes 1,000 customer accounts and one revenue account."""

import django


def main() -> None:
    django.setup()
    from django.core.management import call_command
    from hordak.models import Account, AccountType

    call_command("migrate", verbosity=0)
    Account.objects.create(name="Revenue", type=AccountType.income, currencies=["EUR"])
    for number in range(1, 1001):
        Account.objects.create(name=f"Payer {number}", type=AccountType.liability, currencies=["EUR"])


if __name__ == "__main__":
    main()
