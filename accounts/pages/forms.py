from allauth.account.forms import SignupForm as AllauthSignupForm
from django import forms


class SignupForm(AllauthSignupForm):  # type: ignore[misc]
    """Sign-up by email and password, and a name for the default organization."""

    name = forms.CharField(max_length=100, required=False, label="Name", help_text="Yours, or your company's.")
    field_order = ["name", "email", "password1"]
