"""Write ``docs/openapi.yaml`` from the API's views: ``python -m tests.estserver.api.openapi``.

drf-spectacular is here and in no module of the product. What it needs to know beside the views'
own statements (`estserver.api.views.base`) is added here too.
"""

import os
import re
import sys
from pathlib import Path

FILE = Path("docs/openapi.yaml")

DESCRIPTION = """\
The management API of the EST server, on the admin's door. It takes and returns JSON. Each call
needs a token of a person (page "API tokens", command `api_tokens`) in `Authorization: Bearer`, and
the permissions in `x-permissions`, all of which the token's roles must have.

A list is read page by page: pass `next_cursor` as `cursor`. A POST with `Idempotency-Key` may be
sent again within 24 hours, and gets the first answer. A change of a profile, template or policy
needs `If-Match` with the ETag of the version that it changes. Each failure is a problem document
(RFC 9457), with a reason code in `code`. docs/api.md has examples and the codes.

A fixed path comes before one with a parameter. So `revoke` is no value for `{certificate}`, and
a GET of it is answered with 405.
"""

PROBLEMS = {
    "400": "A field of the request is missing, unknown or wrong.",
    "401": "The request has no token that is good now.",
    "403": "The token may not do this. The detail names the roles that may.",
    "404": "There is nothing at this address, or no such row.",
    "405": "This address does not take this method.",
    "409": "The server cannot do this as things stand, or a repeated request is still under way.",
    "412": "Another version came in force since the one that If-Match names.",
    "413": "The body is larger than the server reads.",
    "415": "The body is not JSON.",
    "422": "Another request had this Idempotency-Key.",
    "428": "If-Match is missing.",
    "429": "There were too many requests.",
    "502": "Another service, in most cases AWS, refused a call.",
    "503": "The database, a signer or AWS does not answer now.",
}
FILES = ("x-pem-file", "pkix-cert", "pem-certificate-chain", "pkcs7-mime", "pkcs10")


def views():
    """Yield path, class and name of each address."""
    from django.utils.module_loading import import_string

    from estserver.api.routes import ROOM, ROUTES

    for route, view, name in ROUTES:
        yield route, import_string(f"{ROOM}.{view}"), name


def schema():
    """Return the OpenAPI of the API as data."""
    from django.urls import path
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.openapi import AutoSchema
    from drf_spectacular.settings import spectacular_settings

    class OurSchema(AutoSchema):
        """What the views state of themselves, in OpenAPI's words."""

        def get_operation_id(self):
            return f"{self.method.lower()}_{self.view.url_name}"

        def get_tags(self):
            return [re.sub(r"^/api/v1/", "", self.path).split("/")[0]]

        def get_summary(self):
            text = getattr(self.view, self.method.lower()).__doc__ or self.view.__doc__
            own = (
                self.view.__doc__
                if getattr(self.view, "row", None) and self.method == "GET"
                else text
            )
            return own.strip().partition("\n")[0]

        def get_description(self):
            text = getattr(self.view, self.method.lower()).__doc__ or ""
            return " ".join(text.split())

        def get_request_serializer(self):
            kind = self.view.takes.get(self.method)
            return kind and kind()

        def get_response_serializers(self):
            return {}

        def get_auth(self):
            return [{"token": []}]

        def get_override_parameters(self):
            return []

        def _get_filter_parameters(self):
            return []

        def _get_parameters(self):
            found = super()._get_parameters()
            for one in found:
                one["schema"] = {k: v for k, v in one["schema"].items() if k != "description"}
            if self.method == "GET":
                found += self._query_parameters()
            if self.method in ("PUT", "PATCH") or (
                self.method == "POST" and self.view.needs_if_match
            ):
                found.append(header("If-Match", "The ETag of the version that is changed.", True))
            if self.method == "POST" and not self.view.is_question:
                text = "The same key within 24 hours gets the first answer."
                found.append(header("Idempotency-Key", text, False))
            return found

        def _query_parameters(self):
            component = self._map_serializer(self.view.query(), "request")
            required = component.get("required", [])
            return [
                {
                    "in": "query",
                    "name": name,
                    "required": name in required,
                    **({"description": one.pop("description")} if "description" in one else {}),
                    "schema": one,
                }
                for name, one in component.get("properties", {}).items()
            ]

        def _get_response_bodies(self, direction="response"):
            view, method = self.view, self.method
            status = str(view.success.get(method, 200))
            bodies = {status: self._success(status)}
            takes = view.takes.get(method)
            if status != "200" and "dry_run" in (takes().fields if takes else ()):
                bodies["200"] = {**self._success("200"), "description": "A dry run."}
            for code in sorted(self._problems()):
                bodies[code] = {"$ref": f"#/components/responses/Problem{code}"}
            self._ref("Problem")
            return dict(sorted(bodies.items()))

        def _problems(self):
            view, method = self.view, self.method
            codes = {"400", "401", "403", "404", "429", "503"}
            if "{" in self.path:  # a value may lead to another call, which takes other methods
                codes |= {"405"}
            if method != "GET":
                codes |= {"409", "413", "415"}
            if method == "POST" and not view.is_question:
                codes |= {"422"}
            if method in ("PUT", "PATCH") or view.needs_if_match:
                codes |= {"412", "428"}
            if any(word in self.path for word in ("documents", "drift", "truststore/")):
                codes |= {"409", "502"}
            return codes

        def _success(self, status):
            view, method = self.view, self.method
            kind = view.returns.get(method)
            if isinstance(kind, str):
                media, form = kind, {"type": "string", "format": "binary"}
                if view.url_name == "certificate_file":
                    files = (
                        "x-pem-file",
                        "pkix-cert",
                        "pem-certificate-chain",
                        "pkcs7-mime",
                        "pkcs10",
                    )
                    content = {f"application/{name}": {"schema": form} for name in files}
                    return {"description": "The file.", "content": content}
                return {"description": "The file.", "content": {media: {"schema": form}}}
            if kind is None:  # a list
                row = self.resolve_serializer(view.row(), "response").ref
                form = {
                    "type": "object",
                    "required": ["results", "next_cursor"],
                    "properties": {
                        "results": {"type": "array", "items": row},
                        "next_cursor": {"type": "string", "nullable": True},
                    },
                }
            else:
                form = self.resolve_serializer(kind(), "response").ref
            answer = {"description": "Done.", "content": {"application/json": {"schema": form}}}
            if view.has_etag or view.needs_if_match:
                answer["headers"] = {"ETag": {"schema": {"type": "string"}}}
            return answer

        def _ref(self, name):
            from estserver.api.serializers import outputs

            return self.resolve_serializer(getattr(outputs, name)(), "response").ref

        def get_operation(self, *arguments):
            operation = super().get_operation(*arguments)
            if operation:
                operation["x-permissions"] = list(self._permissions())
            return operation

        def _permissions(self):
            if hasattr(self.view, "verbs"):
                verb = self.view.verbs[self.method]
                return [f"iotprov.{verb}_templateversion, or iotprov.{verb}_policyversion"]
            return self.view.permissions[self.method]

    def door(view, name):
        methods = view.verbs if hasattr(view, "verbs") else view.permissions
        more = {
            "schema": OurSchema(),
            "url_name": name,
            "http_method_names": [method.lower() for method in methods],
            "__doc__": view.__doc__,
        }
        return type(view.__name__, (view,), more).as_view()

    changes = {
        "TITLE": "EST server for AWS IoT",
        "VERSION": "1",
        "DESCRIPTION": DESCRIPTION,
        "SCHEMA_PATH_PREFIX": "/api/v1",
        "COMPONENT_SPLIT_REQUEST": True,
        "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
        "POSTPROCESSING_HOOKS": [],
        "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
        "OAS_VERSION": "3.0.3",
    }
    spectacular_settings.apply_patches(changes)
    try:
        patterns = [path(f"api/v1/{route}", door(view, name)) for route, view, name in views()]
        found = SchemaGenerator(patterns=patterns).get_schema(public=True)
    finally:
        spectacular_settings.clear_patches()
    found["components"]["responses"] = {
        f"Problem{code}": {
            "description": text,
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
        for code, text in PROBLEMS.items()
    }
    found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for operations in found["paths"].values():
        for operation in operations.values():
            for one in operation.get("parameters", ()):
                if one["in"] == "path":
                    one["schema"] |= PATH_VALUES.get(one["name"], {})
    return found


PATH_VALUES = {
    "kind": {"enum": ["template", "policy"]},
    "form": {"enum": ["pem", "der", "chain", "pkcs7", "csr"]},
    "name": {"minLength": 1},
    "certificate": {"minLength": 1},
    "number": {"minimum": 0},
}


def header(name, description, required):
    return {
        "in": "header",
        "name": name,
        "required": required,
        "description": description,
        "schema": {"type": "string"},
    }


def as_yaml():
    """Return the file's content."""
    import yaml

    class Plain(yaml.SafeDumper):
        """Without anchors, which people do not expect in OpenAPI."""

        def ignore_aliases(self, data):
            return True

    Plain.add_representer(str, _text)
    return yaml.dump(_plain(schema()), Dumper=Plain, sort_keys=False, width=100, allow_unicode=True)


def _text(dumper, data):
    style = "|" if "\n" in data else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


def _plain(value):
    if isinstance(value, dict):
        kept = {name: inner for name, inner in value.items() if name != "x-spec-enum-id"}
        return {str(name): _plain(inner) for name, inner in kept.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, bool | int | float | type(None)) else str(value)


def main():
    """Write the file, or with --check say whether it is out of date."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    text = as_yaml()
    if "--check" in sys.argv:
        return 0 if FILE.read_text(encoding="utf-8") == text else 1
    FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
