"""The web admin as a Django app, with the console's site in place of Django's."""

from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """Django's admin, whose default site is ``ConsoleSite``.

    ``@admin.register`` and ``admin.site`` mean that site then.
    https://docs.djangoproject.com/en/5.2/ref/contrib/admin/#overriding-the-default-admin-site
    """

    default_site = "estserver.console.site.ConsoleSite"

    def ready(self) -> None:
        from estserver.console.names import translate_names
        from estserver.people.sessions import marks as session_marks

        translate_names()
        super().ready()
        session_marks.connect()
