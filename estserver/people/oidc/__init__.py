"""Sign-in by the accounts of an OpenID provider, if the configuration names one.

`admission` decides who gets in and with which roles. `views` and `backend` speak the protocol with
mozilla-django-oidc, which is installed where it is used, and imported there alone.
"""
