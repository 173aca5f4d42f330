"""An EST server on loopback that answers as a test wants: in order, wrongly, late, or never."""

import base64
import http.server
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.builders import make_certificate, make_key, make_name

CERTS_ONLY = "application/pkcs7-mime; smime-type=certs-only"


class ESTPeer:
    """A TLS server with a certificate from ``tls_ca`` that signs with ``ca``, until told else.

    ``behave`` is called with a request (an ``http.server`` handler) in place of an answer.
    """

    def __init__(self, directory, *, ca, tls_ca, server_name="localhost"):
        self.ca = ca
        self.behave = None
        self.requests = []
        self.clients = []
        """The client certificate of each request, DER, for those that TLS demands."""
        self.issued = []
        self.stopping = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            peer = self
            timeout = 30

            def do_POST(self):
                self.answer(self.peer.enroll)

            def do_GET(self):
                self.answer(self.peer.publish)

            def answer(self, in_order):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.peer.requests.append((self.path, dict(self.headers), body))
                self.peer.clients.append(self.connection.getpeercert(binary_form=True))
                (self.peer.behave or in_order)(self)

            def reply(self, status, body, headers=()):
                """Answer with this."""
                self.send_response(status)
                for name, value in dict(headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.show(directory, tls_ca, server_name)
        self._server.context = self.context
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def show(self, directory, tls_ca, server_name):
        """Show a new server certificate from now on."""
        key = make_key(index=1)
        certificate = make_certificate(
            tls_ca,
            subject=make_name(server_name),
            public_key=key.public_key(),
            san=[x509.DNSName(server_name)],
            extensions=[(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)],
        )
        path = directory / "peer.pem"
        path.write_bytes(
            certificate.public_bytes(Encoding.PEM)
            + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        self.context.load_cert_chain(path)

    def demand_clients_of(self, directory, ca):
        """Refuse clients whose certificates aren't from ``ca``, within TLS."""
        path = directory / "peer-clients.pem"
        path.write_bytes(ca.certificate.public_bytes(Encoding.PEM))
        self.context.load_verify_locations(path)
        self.context.verify_mode = ssl.CERT_REQUIRED

    def enroll(self, request):
        """Answer as an EST server in order does: the same CSR gets the same certificate."""
        csr = x509.load_der_x509_csr(base64.b64decode(self.requests[-1][2]))
        known = [one for one in self.issued if one.public_key() == csr.public_key()]
        if not known:
            known = [make_certificate(self.ca, subject=csr.subject, public_key=csr.public_key())]
            self.issued += known
        request.reply(200, certs_only(known), {"Content-Type": CERTS_ONLY})

    def publish(self, request):
        """The CA's certificate."""
        request.reply(200, certs_only([self.ca.certificate]), {"Content-Type": CERTS_ONLY})

    def stop(self):
        """Let go of the port, and of whoever still waits."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    """Shakes hands in the connection's own thread."""

    context: ssl.SSLContext
    daemon_threads = True

    def finish_request(self, request, client_address):
        with self.context.wrap_socket(request, server_side=True) as tls:
            self.RequestHandlerClass(tls, client_address, self)

    def shutdown_request(self, request):
        self.close_request(request)  # TLS has it, and closed it

    def handle_error(self, request, client_address):
        """A client that leaves early is what these tests are about."""


def certs_only(certificates):
    """A certs-only reply's body, wrapped as old servers do."""
    return base64.encodebytes(pkcs7.serialize_certificates(certificates, Encoding.DER))
