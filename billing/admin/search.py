def owner_fields(prefix: str) -> list[str]:
    """Search fields that find an owner: the organization's ids and name, or the email of one of its people."""
    fields = ["public_id", "auth_id", "name", "memberships__user__email", "billing_account__public_id"]
    return [f"{prefix}__{field}" for field in fields]
