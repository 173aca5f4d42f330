"""Classes that tests name in a configuration, as an installation names its own."""

from pki.signers.keyfile import KeyFileSigner


class WatchedSigner(KeyFileSigner):
    """The keyfile signer. It counts its signatures, and lets a test act before each."""

    def __init__(self, **options):
        super().__init__(**options)
        self.signatures = 0
        self.before_signature = lambda: None

    def sign(self, request, issuer):
        self.before_signature()
        self.signatures += 1
        return super().sign(request, issuer)


class ExternalPKI:
    """A company's PKI with the CDK sample's interface. A test replaces ``answer``."""

    answer = staticmethod(lambda *arguments: None)
    calls = []

    def sign_externally(self, csr, csr_data, cert_validity, custom_secret):
        type(self).calls.append((csr, csr_data, cert_validity, custom_secret))
        return type(self).answer(csr, csr_data, cert_validity, custom_secret)
