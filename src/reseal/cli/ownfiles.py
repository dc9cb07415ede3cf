"""The ssldir of the CA's own host, as far as `cert` touches it.

`cert generate` makes a node's key and request here, `cert clean` removes what is
here of a node, and both leave the CA's certificate and CRL where the host's own
agent and server look for them.

Sources: Puppet 5.5, `ssl/host.rb` and `indirector/ssl_file.rb` (files and modes).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from reseal import files
from reseal.ca.policy import refuse_own_name
from reseal.ca.rules import is_own_name
from reseal.certname import Certname
from reseal.errors import NotFound
from reseal.settings import PuppetSettings
from reseal.store.protocol import Store
from reseal.x509 import keys
from reseal.x509.certificate import to_pem
from reseal.x509.csr import Request, build_request, puppet_alt_names
from reseal.x509.csrattributes import CsrAttributes, read_csr_attributes

PUBLIC, PRIVATE = 0o644, 0o640
_DIRECTORIES = {
    "certdir": 0o755,
    "requestdir": 0o755,
    "publickeydir": 0o755,
    "privatekeydir": 0o750,
}


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """Keys, requests and certificates in the host's ssldir.

    Attributes:
        settings: Say where they are.
        store: The CA's certificates and lists.
        served: A Puppet Server runs the CA and publishes them by itself.
        copy: The CA is a copy, and the ssldir is of the host with the live one.
    """

    settings: PuppetSettings
    store: Store
    served: bool
    copy: bool = False

    def publish(self) -> None:
        """Put the CA's bundle and its lists where this host looks for them."""
        if self.served or self.copy:
            return
        self._directory("certdir")
        if not self.settings.localcacert.exists():
            files.replace(self.settings.localcacert, self.store.bundle(), mode=PUBLIC)
        if (crls := self.store.crls()) != _read(self.settings.hostcrl):
            files.replace(self.settings.hostcrl, crls, mode=PUBLIC)

    def request(self, name: Certname, alt_names: str) -> Request:
        """Make a request for a name, and a key if it has none yet; keep both.

        The host's own request also carries what csr_attributes.yaml asks for.

        Args:
            name: Whose.
            alt_names: As Puppet's setting `dns_alt_names`, whose value the host's
                own request has without any.

        Raises:
            PolicyError: The name is the CA's own.
        """
        refuse_own_name(name)
        is_own = name == self.settings.certname
        if is_own and not alt_names:
            alt_names = ",".join(self.settings.dns_alt_names)
        own = self._attributes() if is_own else CsrAttributes()
        request = build_request(
            keys.LocalSigner(self._key(name)),
            name,
            alt_names=puppet_alt_names(alt_names, name),
            extensions=own.extensions,
            attributes=own.attributes,
        )
        self._directory("requestdir")
        files.replace(self._file("requestdir", name), request.pem, mode=PUBLIC)
        return request

    def keep_certificate(self, name: Certname, found: x509.Certificate) -> None:
        """Keep the certificate of a name, and forget its request."""
        self._directory("certdir")
        files.replace(self._file("certdir", name), to_pem(found), mode=PUBLIC)
        files.remove(self._file("requestdir", name))

    def forget(self, name: Certname) -> set[str]:
        """Remove all that is here of a name and return what was: `key` and so on."""
        return set(self._forgotten(name)) if self.keeps(name) else set()

    def keeps(self, name: Certname) -> bool:
        """Say whether files of a name here are the node's: `ca.pem` is the CA's."""
        return not self.copy and not is_own_name(name)

    def _forgotten(self, name: Certname) -> Iterator[str]:
        kinds = {"certificate": "certdir", "request": "requestdir"}
        kinds |= {"key": "privatekeydir", "public key": "publickeydir"}
        for kind, directory in kinds.items():
            path = self._file(directory, name)
            if path.exists():
                files.remove(path)
                yield kind

    def _key(self, name: Certname) -> keys.PrivateKey:
        path = self._file("privatekeydir", name)
        try:
            return keys.load_private(files.read(path))
        except NotFound:
            key = keys.generate(f"rsa:{self.settings.keylength}")
        self._directory("privatekeydir")
        self._directory("publickeydir")
        files.replace(path, keys.dump_private(key), mode=PRIVATE)
        public = keys.dump_public(key.public_key())
        files.replace(self._file("publickeydir", name), public, mode=PUBLIC)
        return key

    def _attributes(self) -> CsrAttributes:
        path = self.settings.csr_attributes
        text = (_read(path) or b"").decode("utf-8", "replace")
        return read_csr_attributes(text, str(path))

    def _directory(self, setting: str) -> None:
        path: Path = getattr(self.settings, setting)
        files.make_directory(self.settings.ssldir, mode=0o771)
        files.make_directory(path, mode=_DIRECTORIES[setting])

    def _file(self, setting: str, name: Certname) -> Path:
        directory: Path = getattr(self.settings, setting)
        return directory / f"{name}.pem"


def _read(path: Path) -> bytes | None:
    try:
        return files.read(path)
    except NotFound:
        return None
