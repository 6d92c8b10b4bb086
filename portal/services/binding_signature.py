"""The signature of a STANAG 4778 binding: XML-DSig with ECDSA and an X.509 certificate, made and checked by signxml.

The signature covers the binding (its labels and the name of the data) and a manifest that holds the digest of the
data, so that data of any size is bound by the digest it already has. All digests are SHA-384, as the profile demands;
of bindings that were made before that one of the data may be a SHA-256.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from crypto.keyring import RingKey
from policies.stanag4778 import BINDING_ID, MAX_BYTES, NAMESPACE, SIGNATURE
from portal.errors import Invalid

MANIFEST_ID = "manifest-1"
_VALID = timedelta(days=3650)
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""How many private keys NIST P-256 has, and one (SP 800-186, section 3.2.1.3)."""
_SHA384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"
_DIGESTS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {_SHA384: ("sha384", 48), "http://www.w3.org/2001/04/xmlenc#sha256": ("sha256", 32)}
)
"""Digests of the data that are taken, by their identifiers: name and length in bytes."""


@dataclass(frozen=True, slots=True)
class BindingKey:
    """The portal's private key for bindings, and the certificate that names it."""

    private: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def of(cls, key: RingKey, name: str) -> BindingKey:
        """Return the key that a key of the ring stands for, with its certificate for the installation `name`.

        Both follow from the ring's key alone, so every node has the same and nothing more is kept: the private key
        by FIPS 186-5 A.2.1 from 64 bits more than its length, the certificate with a deterministic signature.
        """
        material = HKDF(hashes.SHA256(), 40, salt=None, info=b"strongroom label binding P-256").derive(
            key.material
        )
        private = ec.derive_private_key(int.from_bytes(material) % (_ORDER - 1) + 1, ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
        public = private.public_key()
        begin = key.created.replace(microsecond=0)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(public)
            .serial_number(int(key.id, 16) or 1)
            .not_valid_before(begin)
            .not_valid_after(begin + _VALID)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_signs_only(), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )
        return cls(private, builder.sign(private, hashes.SHA256(), ecdsa_deterministic=True))

    @property
    def pem(self) -> str:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


def _signs_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True, slots=True)
class SignedBinding:
    """What a signature that holds vouches for: the data's name, its digest, and whose certificate it carries.

    `algorithm`: of the digest, as `hashlib` names it; `trusted`: the certificate is of those given to check against.
    """

    uri: str
    algorithm: str
    digest: bytes
    certificate: x509.Certificate
    trusted: bool

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hexadecimal."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()


def sign(binding: bytes, uri: str, sha384: bytes, key: BindingKey) -> bytes:
    """Return the binding with its signature, as UTF-8 XML; `sha384` is of the data that it names as `uri`."""
    root = _parsed(binding)
    # The manifest moves into the signature at the end; meanwhile it stands where the signer finds it by its id.
    thing = etree.SubElement(root, f"{{{SIGNATURE}}}Object", nsmap={"ds": SIGNATURE})
    manifest = etree.SubElement(thing, f"{{{SIGNATURE}}}Manifest", Id=MANIFEST_ID)
    reference = etree.SubElement(manifest, f"{{{SIGNATURE}}}Reference", URI=uri)
    etree.SubElement(reference, f"{{{SIGNATURE}}}DigestMethod", Algorithm=_SHA384)
    value = etree.SubElement(reference, f"{{{SIGNATURE}}}DigestValue")
    value.text = base64.b64encode(sha384).decode()
    signer = XMLSigner(
        method=SignatureConstructionMethod.detached,
        signature_algorithm=SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA384,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signature = signer.sign(
        root, key=key.private, cert=[key.certificate], reference_uri=[f"#{BINDING_ID}", f"#{MANIFEST_ID}"]
    )
    signature.append(thing)
    root.insert(0, signature)
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))


def verify(data: bytes, trusted: Collection[x509.Certificate] | None) -> SignedBinding:
    """Check the signature of a binding, and return what it vouches for.

    It must cover the one binding and its manifest, by ECDSA with SHA-384 digests, under one of `trusted` or, without
    them, under the certificate that it carries. Raises Invalid, with the reason, when it does not hold.
    """
    root = _parsed(data)
    carried = _certificate(root)
    config = SignatureConfiguration(
        location="./",
        expect_references=2,
        signature_methods=frozenset({SignatureMethod.ECDSA_SHA256, SignatureMethod.ECDSA_SHA384}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA384}),
        # What was bound stays bound: the certificate's time is that of the signature, which it began before.
        verification_time=carried.not_valid_before_utc,
    )
    if trusted is not None and carried not in trusted:
        raise _not_held("it was made with another certificate than those to check against")
    try:
        found = XMLVerifier().verify(root, x509_cert=carried, expect_config=config, validate_schema=True)
    except (SignXMLException, etree.LxmlError, ValueError, TypeError, binascii.Error) as fault:
        raise _not_held(str(fault)) from None
    covered = {
        result.signed_xml.tag: result
        for result in cast(list[VerifyResult], found)
        if result.signed_xml is not None
    }
    binding = covered.get(f"{{{NAMESPACE}}}MetadataBinding")
    manifest = covered.get(f"{{{SIGNATURE}}}Manifest")
    if binding is None or manifest is None:
        raise _not_held("it does not cover the binding and its manifest")
    uri, algorithm, digest = _manifest(cast(etree._Element, manifest.signed_xml))
    named = [
        item.get("URI")
        for item in cast(etree._Element, binding.signed_xml).iter(f"{{{NAMESPACE}}}DataReference")
    ]
    if named != [uri]:
        raise _not_held("its manifest is about other data than the binding")
    return SignedBinding(uri, algorithm, digest, carried, trusted is not None)


def _parsed(data: bytes) -> etree._Element:
    if len(data) > MAX_BYTES:
        raise _not_held(f"the file is larger than {MAX_BYTES:,} bytes")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as fault:
        raise _not_held(f"the file is not well-formed XML: {fault}") from None
    if b"<!DOCTYPE" in data:
        raise _not_held("a document type declaration is never read")
    return root


def _certificate(root: etree._Element) -> x509.Certificate:
    path = "/".join(
        f"{{{SIGNATURE}}}{name}" for name in ("Signature", "KeyInfo", "X509Data", "X509Certificate")
    )
    found = root.findall(path)
    if len(found) != 1:
        raise _not_held("it carries no certificate, or several")
    try:
        return x509.load_der_x509_certificate(
            base64.b64decode("".join((found[0].text or "").split()), validate=True)
        )
    except ValueError:
        raise _not_held("its certificate cannot be read") from None


def _manifest(manifest: etree._Element) -> tuple[str, str, bytes]:
    references = manifest.findall(f"{{{SIGNATURE}}}Reference")
    if len(references) != 1:
        raise _not_held("its manifest names none or several data")
    [reference] = references
    method, value = (reference.find(f"{{{SIGNATURE}}}{name}") for name in ("DigestMethod", "DigestValue"))
    known = None if method is None else _DIGESTS.get(method.get("Algorithm", ""))
    if known is None or value is None:
        raise _not_held("the digest of the data is neither a SHA-384 nor a SHA-256")
    algorithm, length = known
    try:
        digest = base64.b64decode(value.text or "", validate=True)
    except binascii.Error:
        raise _not_held("the digest of the data cannot be read") from None
    if len(digest) != length:
        raise _not_held(f"the digest of the data is no {algorithm}: it has {len(digest)} bytes")
    return reference.get("URI", ""), algorithm, digest


def _not_held(reason: str) -> Invalid:
    return Invalid(
        f"The signature of this binding does not hold: {reason}.",
        mend="Get the binding anew from the portal that made it.",
    )
