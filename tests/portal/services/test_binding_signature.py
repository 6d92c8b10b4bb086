"""The signature of a binding: it covers label and data, is checked by other means too, and breaks with anything."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from lxml import etree

from crypto.keyring import RingKey, WrappedKey
from policies import SHIPPED, load_policy, stanag4774, stanag4778
from policies.stanag4778 import SIGNATURE, BoundData
from portal.errors import Invalid
from portal.services import binding_signature
from portal.services.binding_signature import BindingKey, sign, verify

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
POLICY = load_policy(SHIPPED)
URI = "report%20%26%20plan.pdf"
DIGEST = hashlib.sha384(b"the document").digest()
SHA384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"


def key(material: bytes = b"k" * 32, key_id: str = "0011223344556677") -> BindingKey:
    stored = WrappedKey(key_id, "binding", "", 1, "active", NOW, b"")
    return BindingKey.of(RingKey(stored, material), "portal.example")


KEY = key()


def binding() -> bytes:
    label = stanag4774.serialise(POLICY.parse_marking("NATO SECRET"), created=NOW, policy=POLICY)
    return stanag4778.serialise([label], BoundData(URI, "application/pdf"))


SIGNED = sign(binding(), URI, DIGEST, KEY)


def test_what_was_signed_holds_and_says_what_it_is_of() -> None:
    found = verify(SIGNED, [KEY.certificate])
    assert (found.uri, found.algorithm, found.digest, found.trusted) == (URI, "sha384", DIGEST, True)
    assert found.fingerprint == KEY.certificate.fingerprint(hashes.SHA256()).hex()
    assert stanag4778.read(SIGNED, POLICY).signed
    assert not verify(SIGNED, None).trusted


def test_binding_of_an_earlier_key_holds_among_the_certificates_of_all() -> None:
    newer = key(b"n" * 32, "8899aabbccddeeff")
    assert verify(SIGNED, [newer.certificate, KEY.certificate]).trusted
    for others in ([newer.certificate], []):
        with pytest.raises(Invalid, match="another certificate"):
            verify(SIGNED, others)


def test_data_was_bound_by_its_sha_256_before_and_stays_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding_signature, "_SHA384", "http://www.w3.org/2001/04/xmlenc#sha256")
    digest = hashlib.sha256(b"the document").digest()
    found = verify(sign(binding(), URI, digest, KEY), [KEY.certificate])
    assert (found.algorithm, found.digest) == ("sha256", digest)


def test_key_and_certificate_follow_from_the_rings_key_alone() -> None:
    assert key().pem == KEY.pem
    assert key(b"l" * 32).pem != KEY.pem
    certificate = x509.load_pem_x509_certificate(KEY.pem.encode())
    assert certificate.not_valid_before_utc == NOW
    assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    certificate.verify_directly_issued_by(certificate)


def test_signature_is_xml_dsig_as_the_profile_asks() -> None:
    """Checked by hand: exclusive canonical form, SHA-384 of each reference, ECDSA of the signed information."""
    root = etree.fromstring(SIGNED)
    signature = root[0]
    assert signature.tag == f"{{{SIGNATURE}}}Signature"
    info = signature.find(f"{{{SIGNATURE}}}SignedInfo")
    references = info.findall(f"{{{SIGNATURE}}}Reference")
    assert [reference.get("URI") for reference in references] == ["#binding-1", "#manifest-1"]
    for reference in references:
        [covered] = root.xpath("//*[@Id=$id]", id=reference.get("URI")[1:])
        assert reference.find(f"{{{SIGNATURE}}}DigestMethod").get("Algorithm") == SHA384
        digest = hashlib.sha384(
            etree.tostring(covered, method="c14n", exclusive=True, with_tail=False)
        ).digest()
        assert base64.b64decode(reference.find(f"{{{SIGNATURE}}}DigestValue").text) == digest
    raw = base64.b64decode(signature.find(f"{{{SIGNATURE}}}SignatureValue").text)
    der = utils.encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    public = KEY.certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    signed = etree.tostring(info, method="c14n", exclusive=True, with_tail=False)
    public.verify(der, signed, ec.ECDSA(hashes.SHA256()))


WRONG = {
    "another label": SIGNED.replace(b">SECRET<", b">RESTRICTED<"),
    "another file": SIGNED.replace(URI.encode(), b"other.pdf"),
    "another name in the binding": SIGNED.replace(b'DataReference URI="report', b'DataReference URI="raport'),
    "another digest": SIGNED.replace(base64.b64encode(DIGEST), base64.b64encode(b"x" * 48)),
    "a short digest": SIGNED.replace(base64.b64encode(DIGEST), base64.b64encode(b"x" * 20)),
    "a digest that is none": SIGNED.replace(base64.b64encode(DIGEST), b"*"),
    "a weaker digest": SIGNED.replace(SHA384.encode(), b"http://www.w3.org/2000/09/xmldsig#sha1"),
    "another algorithm": SIGNED.replace(b"#ecdsa-sha256", b"#ecdsa-sha1"),
    "no signature": binding(),
    "no manifest": SIGNED.replace(b"ds:Object>", b"ds:KeyName>"),
    "no certificate": SIGNED.replace(b"X509Certificate>", b"X509SubjectName>"),
    "a certificate that is none": SIGNED.replace(b"X509Certificate>MII", b"X509Certificate>AAA"),
    "a manifest of other data": SIGNED.replace(b'Reference URI="report', b'Reference URI="raport', 1),
    "no xml": b"<a",
    "a document type": b"<!DOCTYPE a>" + SIGNED.partition(b"?>")[2],
    "a megabyte": SIGNED + b" " * stanag4778.MAX_BYTES,
}


@pytest.mark.parametrize("name", WRONG)
def test_anything_else_does_not_hold(name: str) -> None:
    for trusted in ([KEY.certificate], None):
        with pytest.raises(Invalid) as refused:
            verify(WRONG[name], trusted)
        assert "does not hold" in refused.value.message


def test_signature_of_somebody_else_is_not_the_portals() -> None:
    forged = sign(binding(), URI, DIGEST, key(b"f" * 32))
    assert not verify(forged, None).trusted
    with pytest.raises(Invalid):
        verify(forged, [KEY.certificate])


def test_second_binding_beside_the_signed_one_is_refused() -> None:
    """Signature wrapping: the signed element is kept, and another stands where readers look."""
    start, end = SIGNED.index(b"<mb:MetadataBindingContainer>"), SIGNED.index(b"</mb:BindingInformation>")
    other = (
        SIGNED[start:end].replace(b">SECRET<", b">RESTRICTED<").replace(b'Id="binding-1"', b'Id="binding-2"')
    )
    wrapped = SIGNED[:start] + other + SIGNED[start:]
    verify(wrapped, [KEY.certificate])
    with pytest.raises(Exception, match="may not stand here"):
        stanag4778.read(wrapped, POLICY)


def test_manifest_of_several_data_does_not_hold() -> None:
    two = binding()
    root = etree.fromstring(sign(two, URI, DIGEST, KEY))
    manifest = root.find(f".//{{{SIGNATURE}}}Manifest")
    manifest.append(etree.fromstring(etree.tostring(manifest[0])))
    with pytest.raises(Invalid):
        verify(etree.tostring(root), None)
