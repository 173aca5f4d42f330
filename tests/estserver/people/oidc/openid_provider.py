"""A small OpenID provider on loopback: the code flow with PKCE, signed with RSA."""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

CLIENT, SECRET = "est-server", "the client's secret"


def encoded(data):
    """Base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value):
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class OpenIDProvider:
    """Signs in whoever ``claims`` names, without asking. Tests change what it says."""

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.signing_key = self.key
        self.claims = {}
        self.userinfo = {}
        self.header = {}
        self.asked = []
        self.token_requests = []
        self._codes = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            """Four addresses."""

            def log_message(self, *args):
                """Say nothing."""

            def do_GET(self):
                """Answer discovery, keys, authorization and userinfo."""
                url = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                if url.path == "/authorize":
                    self.send_response(302)
                    self.send_header("Location", provider.authorize(query))
                    self.end_headers()
                    return
                answers = {
                    "/.well-known/openid-configuration": provider.discovery,
                    "/keys": provider.keys,
                    "/userinfo": lambda: provider.userinfo,
                }
                self._reply(200, answers[url.path]())

            def do_POST(self):
                """Answer with a token."""
                length = int(self.headers["Content-Length"])
                form = parse_qs(self.rfile.read(length).decode())
                self._reply(*provider.token({name: values[0] for name, values in form.items()}))

            def _reply(self, status, said):
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self.said_issuer = self.issuer
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self):
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def discovery(self):
        """What the provider publishes."""
        return {
            "issuer": self.said_issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def keys(self):
        """The public key (RFC 7517)."""
        numbers = self.key.public_key().public_numbers()
        key = {"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig"}
        return {"keys": [{**key, "n": _number(numbers.n), "e": _number(numbers.e)}]}

    def authorize(self, query):
        """Return where the person is sent back to."""
        self.asked.append(query)
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form):
        """Return status and body for a code, which is taken once and with its verifier alone."""
        self.token_requests.append(form)
        asked = self._codes.pop(form.get("code"), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            asked is None
            or (form["client_id"], form["client_secret"]) != (CLIENT, SECRET)
            or form["redirect_uri"] != asked["redirect_uri"]
            or encoded(digest) != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "auth_time": now,
            "nonce": asked["nonce"], **self.claims,
        }  # fmt: skip
        body = {"access_token": "x", "token_type": "Bearer", "id_token": self.signed(claims)}
        return 200, body

    def signed(self, claims):
        """Return the claims as a JWT."""
        header = {"alg": "RS256", "kid": "1", **self.header}
        parts = [encoded(json.dumps(part).encode()) for part in (header, claims)]
        text = ".".join(parts)
        signature = self.signing_key.sign(text.encode(), padding.PKCS1v15(), SHA256())
        return f"{text}.{encoded(signature)}"
