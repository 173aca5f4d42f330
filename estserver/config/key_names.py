"""Names of the configuration file's keys, by field. A function on Lambda can import this."""


def key_name(attribute: str) -> str:
    """Return a field's key in the file: ``iotTemplateName`` for ``iot_template_name``."""
    if attribute == "configure_jitp":
        return "configureJITP"
    head, *rest = attribute.split("_")
    return head + "".join(word.capitalize() for word in rest)
