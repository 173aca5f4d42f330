"""What models and their fields are called, in the language of the person who looks at them.

Models state their names in English. The functions for devices load the same models and translate
nothing, so a name is marked here and not there. It is looked up when a page shows it.
"""

from typing import Any

from django.apps import apps
from django.utils.translation import gettext_lazy

_APPS = ("pki", "iotprov", "estserver")


def translate_names() -> None:
    """Have names of models and fields, and what is said below a field, go through gettext."""
    for app in _APPS:
        for model in apps.get_app_config(app).get_models():
            options: Any = model._meta
            # The plural may be made of the singular, so it comes first.
            options.verbose_name_plural = _lazily(options.verbose_name_plural)
            options.verbose_name = _lazily(options.verbose_name)
            for field in options.local_fields:
                field.verbose_name = _lazily(field.verbose_name)
                field.help_text = _lazily(field.help_text)


def _lazily(text: Any) -> Any:
    return gettext_lazy(str(text)) if text else text  # Django's own plurals are lazy already
