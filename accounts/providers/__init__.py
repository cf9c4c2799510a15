"""Sign-in elsewhere: at Google, GitHub, Microsoft, any OpenID Connect provider, and at organizations' own ones.

`registry` knows the providers, `calls` talks to them, and `openid` and `github` learn who signed in there. What that
means for our accounts is in `accounts.linked_accounts`.
"""
