"""A process that migrates and uses apps which others wrote, on the cluster that the URL names.

It fails with an assertion or with the database's error. `python -m tests.support.dsql.third_party`
"""

import os


def main() -> None:
    """Migrate twice, and use what the apps have."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.support.dsql.third_party_settings"
    import django

    django.setup()
    from django.contrib.auth.models import Group, Permission, User
    from django.contrib.flatpages.models import FlatPage
    from django.contrib.redirects.models import Redirect
    from django.contrib.sites.models import Site
    from django.core.management import call_command
    from django.db import IntegrityError

    call_command("migrate", verbosity=0)
    call_command("migrate", verbosity=0)
    call_command("migrate", check_unapplied=True, verbosity=0)

    site = Site.objects.get_current()
    page = FlatPage.objects.create(url="/a/", title="A")
    page.sites.add(site)
    assert FlatPage.objects.filter(sites=site).get() == page
    Redirect.objects.create(site=site, old_path="/b/")
    try:
        Redirect.objects.create(site=site, old_path="/b/")
    except IntegrityError:
        pass
    else:
        raise AssertionError("a rule over two columns does not hold")

    user = User.objects.create_user("operator", password="secret")
    group = Group.objects.create(name="operators")
    group.permissions.add(*Permission.objects.all()[:3])
    user.groups.add(group)
    assert User.objects.get(groups__permissions__codename="add_logentry") == user
    assert user.has_perm("admin.add_logentry")
    group.delete()
    assert not User.objects.get().groups.exists()
    print("done")  # noqa: T201  # the parent reads it


if __name__ == "__main__":
    main()
