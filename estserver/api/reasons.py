"""Reason codes of the management API, beside those of the CA and of HTTP."""

from http import HTTPStatus

from pki.reasons import ReasonCode


class APIReason(ReasonCode):
    """Why the API did not do what was asked, with the status of the answer."""

    def __init__(self, code: str, meaning: str, advice: str, status: HTTPStatus) -> None:
        super().__init__(code, meaning, advice)
        self.status = status

    TOKEN_REFUSED = (
        "api-token-refused",
        "The request has no token that is good now.",
        "Send 'Authorization: Bearer estapi_...' with a token that has neither ended nor expired, "
        "of a person who can sign in.",
        HTTPStatus.UNAUTHORIZED,
    )
    PERMISSION_MISSING = (
        "api-permission-missing",
        "The token may not do this.",
        "Use a token with a role that may, of a person who has that role.",
        HTTPStatus.FORBIDDEN,
    )
    NOT_FOUND = (
        "api-not-found",
        "There is nothing at this address.",
        "The paths of the API are in docs/openapi.yaml. None ends with a slash.",
        HTTPStatus.NOT_FOUND,
    )
    METHOD_NOT_ALLOWED = (
        "api-method-not-allowed",
        "This address does not take this HTTP method.",
        "The header Allow names those that it takes.",
        HTTPStatus.METHOD_NOT_ALLOWED,
    )
    REQUEST_WRONG = (
        "api-request-wrong",
        "The server cannot read the request, or is not the host that it names.",
        "Send it to a host that allowedHosts has, or to a domain name of the deployment.",
        HTTPStatus.BAD_REQUEST,
    )
    INPUT_INVALID = (
        "api-input-invalid",
        "A field of the request is missing, unknown or wrong.",
        "The list 'errors' says for each field what was found and what is right.",
        HTTPStatus.BAD_REQUEST,
    )
    BODY_NOT_JSON = (
        "api-body-not-json",
        "The request body is not JSON.",
        "Send one JSON object in UTF-8.",
        HTTPStatus.BAD_REQUEST,
    )
    BODY_TOO_LARGE = (
        "api-body-too-large",
        "The request body is larger than the server reads.",
        "Divide it, for example a long denylist into several imports.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
    MEDIA_TYPE_WRONG = (
        "api-media-type-wrong",
        "The request body has another type than JSON.",
        "Send 'Content-Type: application/json'.",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    )
    REFUSED = (
        "api-refused",
        "The server cannot do this as things stand.",
        "The detail says why, and what to do.",
        HTTPStatus.CONFLICT,
    )
    UNDER_WAY = (
        "api-request-under-way",
        "A request with this Idempotency-Key was begun, and its outcome is not known.",
        "If it is being worked on, ask again in some seconds. If it was cut off, look at what it "
        "did, and use a new key.",
        HTTPStatus.CONFLICT,
    )
    KEY_REUSED = (
        "api-key-reused",
        "Another request had this Idempotency-Key within the last 24 hours.",
        "Use a new key for each request, and the same one only to repeat it unchanged.",
        HTTPStatus.UNPROCESSABLE_ENTITY,
    )
    VERSION_CHANGED = (
        "api-version-changed",
        "Another version came in force since the one that If-Match names.",
        "Look at 'changes', read the newest version, and send the change again with its ETag.",
        HTTPStatus.PRECONDITION_FAILED,
    )
    VERSION_MISSING = (
        "api-version-missing",
        "The request does not say which version it changes.",
        "Send 'If-Match' with the ETag of the version that you read.",
        HTTPStatus.PRECONDITION_REQUIRED,
    )
    TOO_MANY_REQUESTS = (
        "api-too-many-requests",
        "There were too many requests with this token, or too many wrong tokens from this address.",
        "Wait for the seconds that Retry-After names.",
        HTTPStatus.TOO_MANY_REQUESTS,
    )
    REMOTE_FAILURE = (
        "api-remote-failure",
        "Another service, in most cases AWS, refused a call or did not answer.",
        "The detail has the call and the service's own words.",
        HTTPStatus.BAD_GATEWAY,
    )
    INTERNAL_ERROR = (
        "api-internal-error",
        "The server failed to answer the request.",
        "The log has the cause, under the request id.",
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
