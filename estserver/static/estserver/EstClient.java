import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import java.util.Set;
import javax.net.ssl.KeyManagerFactory;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.est.CSRRequestResponse;
import org.bouncycastle.est.ESTException;
import org.bouncycastle.est.ESTService;
import org.bouncycastle.est.jcajce.JcaJceUtils;
import org.bouncycastle.est.jcajce.JsseDefaultHostnameAuthorizer;
import org.bouncycastle.est.jcajce.JsseESTServiceBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.PKCS10CertificationRequestBuilder;

/**
 * A device that speaks EST with Bouncy Castle, unchanged.
 *
 * <pre>
 * EstClient HOST PORT SERVER-CA.pem cacerts OUT.pem
 * EstClient HOST PORT SERVER-CA.pem csrattrs
 * EstClient HOST PORT SERVER-CA.pem enroll CLIENT.p12 PASSWORD OUT.p12 COMMON-NAME
 * EstClient HOST PORT SERVER-CA.pem renew  CLIENT.p12 PASSWORD OUT.p12
 * EstClient HOST PORT SERVER-CA.pem rekey  CLIENT.p12 PASSWORD OUT.p12
 * </pre>
 *
 * OUT.p12 gets the same password. Exits with 2 and prints "refused STATUS BODY" when the server
 * refuses.
 */
public final class EstClient {
    private static final String ALIAS = "device";

    private final JsseESTServiceBuilder builder;

    private EstClient(String host, int port, Path serverCa) throws Exception {
        TrustAnchor anchor = new TrustAnchor(readCertificate(serverCa), null);
        builder = new JsseESTServiceBuilder(
                host, port, JcaJceUtils.getCertPathTrustManager(Set.of(anchor), null))
            .withHostNameAuthorizer(new JsseDefaultHostnameAuthorizer(Set.of()))
            .withTLSVersion("TLS")
            .withTimeout(30_000);
    }

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());  // verifies the server's certificate
        EstClient client =
            new EstClient(arguments[0], Integer.parseInt(arguments[1]), Path.of(arguments[2]));
        try {
            client.run(arguments);
        } catch (ESTException refused) {
            if (refused.getStatusCode() == 0) {
                throw refused;  // never got as far as a status
            }
            InputStream body = refused.getBody();
            System.out.println("refused " + refused.getStatusCode() + " "
                + (body == null ? refused.getMessage() : new String(body.readAllBytes())));
            System.exit(2);
        }
    }

    private void run(String[] arguments) throws Exception {
        String operation = arguments[3];
        switch (operation) {
            case "cacerts" -> printCaCertificates(Path.of(arguments[4]));
            case "csrattrs" -> printCsrAttributes();
            default -> {
                char[] password = arguments[5].toCharArray();
                KeyStore identity = readStore(Path.of(arguments[4]), password);
                KeyStore device = switch (operation) {
                    case "enroll" -> enroll(identity, password, arguments[7]);
                    case "renew" -> reenroll(identity, password, currentKey(identity, password));
                    case "rekey" -> reenroll(identity, password, newKey());
                    default -> throw new IllegalArgumentException(operation);
                };
                try (OutputStream out = new FileOutputStream(arguments[6])) {
                    device.store(out, password);
                }
            }
        }
    }

    private void printCaCertificates(Path out) throws Exception {
        StringBuilder pem = new StringBuilder();
        var store = builder.build().getCACerts().getCertificateStore();
        for (X509CertificateHolder holder : ESTService.storeToArray(store)) {
            pem.append("-----BEGIN CERTIFICATE-----\n")
                .append(Base64.getMimeEncoder(64, new byte[] {'\n'})
                    .encodeToString(holder.getEncoded()))
                .append("\n-----END CERTIFICATE-----\n");
        }
        Files.writeString(out, pem);
    }

    private void printCsrAttributes() throws Exception {
        CSRRequestResponse response = builder.build().getCSRAttributes();
        System.out.println(response.hasAttributesResponse()
            ? "attributes " + response.getAttributesResponse().getRequirements()
            : "no attributes");
    }

    /** A first certificate, for a new key, with somebody else's certificate as identity. */
    private KeyStore enroll(KeyStore identity, char[] password, String name) throws Exception {
        return request(identity, password, newKey(), new X500Name("CN=" + name), false);
    }

    /** The next certificate for the same subject, with the device's own certificate. */
    private KeyStore reenroll(KeyStore device, char[] password, KeyPair key) throws Exception {
        X509CertificateHolder current =
            new X509CertificateHolder(certificate(device).getEncoded());
        return request(device, password, key, current.getSubject(), true);
    }

    private KeyStore request(
            KeyStore identity, char[] password, KeyPair key, X500Name subject, boolean again)
            throws Exception {
        KeyManagerFactory managers =
            KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(identity, password);
        ESTService service = builder.withKeyManagers(managers.getKeyManagers()).build();
        PKCS10CertificationRequest csr = new PKCS10CertificationRequestBuilder(
                subject, SubjectPublicKeyInfo.getInstance(key.getPublic().getEncoded()))
            .build(new JcaContentSignerBuilder("SHA256withECDSA").build(key.getPrivate()));
        X509CertificateHolder[] issued =
            ESTService.storeToArray(service.simpleEnroll(again, csr, null).getStore());
        if (issued.length != 1) {
            throw new IllegalStateException("wanted one certificate, got " + issued.length);
        }
        X509Certificate certificate = new JcaX509CertificateConverter().getCertificate(issued[0]);
        KeyStore device = KeyStore.getInstance("PKCS12");
        device.load(null, null);
        device.setKeyEntry(ALIAS, key.getPrivate(), password, new Certificate[] {certificate});
        return device;
    }

    private static KeyPair newKey() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        return generator.generateKeyPair();
    }

    private static KeyPair currentKey(KeyStore store, char[] password) throws Exception {
        PublicKey publicKey = certificate(store).getPublicKey();
        return new KeyPair(publicKey, (PrivateKey) store.getKey(alias(store), password));
    }

    private static X509Certificate certificate(KeyStore store) throws Exception {
        return (X509Certificate) store.getCertificate(alias(store));
    }

    private static String alias(KeyStore store) throws Exception {
        return store.aliases().nextElement();
    }

    private static KeyStore readStore(Path path, char[] password) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = new FileInputStream(path.toFile())) {
            store.load(in, password);
        }
        return store;
    }

    private static X509Certificate readCertificate(Path path) throws Exception {
        try (InputStream in = new FileInputStream(path.toFile())) {
            return (X509Certificate) CertificateFactory.getInstance("X.509")
                .generateCertificate(in);
        }
    }
}
