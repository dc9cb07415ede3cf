"""ca.conf: the section `certificate-authority` of Puppet Server's settings.

Guarantee: a setting that reseal obeys lands in the layer, one that it does not is
warned of unless it says what is the case anyway.

Sources: Puppet Server, `ca.conf` and `certificate_authority.clj` (`CaSettings`).
"""

from __future__ import annotations

from pathlib import Path

from reseal.server.hocon import Conf, dotted
from reseal.server.layers import Layer, layer_of

SECTION = "certificate-authority"
_TRUTHS = {
    "allow-subject-alt-names": "ca.allow_subject_alt_names",
    "allow-authorization-extensions": "ca.allow_authorization_extensions",
    "enable-infra-crl": "ca.enable_infra_crl",
    "allow-auto-renewal": "ca.allow_auto_renewal",
}
_LIVES = {
    "auto-renewal-cert-ttl": "ca.auto_renewal_cert_ttl",
    "ca-ttl": "ca.ca_ttl",
}
_FILES = {
    "infra-nodes-path": "infra_inventory.txt",
    "infra-node-serials-path": "infra_serials",
    "infra-crl-path": "infra_crl.pem",
}


def read_ca_conf(conf: Conf, cadir: Path) -> Layer:
    """Return what ca.conf sets.

    Args:
        conf: The whole conf.d.
        cadir: Where the CA is; files of infrastructure nodes can only be there.
    """
    layer: Layer = {}
    for key, name in _TRUTHS.items():
        layer |= _one(conf, key, name, conf.boolean(SECTION, key))
    for key, name in _LIVES.items():
        layer |= _one(conf, key, name, conf.life(SECTION, key))
    for key, file in _FILES.items():
        wanted = conf.string(SECTION, key)
        if wanted is not None and Path(wanted) != cadir / file:
            place = conf.leaves[SECTION, key].file
            text = f"{dotted((SECTION, key))}: is not obeyed, {cadir / file} is used"
            conf.findings.warn(place, text)
    return layer


def _one(conf: Conf, key: str, name: str, value: object) -> Layer:
    leaf = conf.leaf(SECTION, key)
    return {} if leaf is None else layer_of(leaf.file, {name: value})
