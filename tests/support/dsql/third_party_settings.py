"""The tests' settings with more apps that have tables, which are not written for Aurora DSQL.

They have integer keys, relations to themselves and each other, and rules over two columns.
"""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "django.contrib.sites",
    "django.contrib.flatpages",
    "django.contrib.redirects",
]
SITE_ID = 1
