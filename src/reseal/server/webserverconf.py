"""webserver.conf: where Puppet Server listens, and with which TLS files.

reseal has one listener.  It is the TLS one if `ssl-port` or `ssl-host` is there, else
the plain one, with the hosts and ports that Jetty takes where one of the two is not
given.  Guarantee: what of Jetty's settings would change who is let in and is not
obeyed is warned of.

Sources: trapperkeeper-webserver-jetty9, `jetty-config.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reseal.server.hocon import Conf, Key, dotted
from reseal.server.layers import Layer, layer_of

SECTION = "webserver"
_LOCAL = "localhost"
_TLS = ("tls", "ssl-host", "ssl-port", 8081)
_PLAIN = ("plain", "host", "port", 8080)
FILES = {
    "ssl-cert": "hostcert",
    "ssl-key": "hostprivkey",
    "ssl-ca-cert": "localcacert",
    "ssl-crl-path": "hostcrl",
}
_PROTOCOLS = {"TLSv1.2", "TLSv1.3"}


@dataclass(frozen=True, slots=True)
class _Server:
    """One web server of the section.

    Attributes:
        conf: The whole conf.d.
        at: Where its settings stand.
    """

    conf: Conf
    at: Key

    def key(self, name: str) -> Key:
        return (*self.at, name)

    def warn(self, name: str, text: str) -> None:
        leaf = self.conf.leaves[self.key(name)]
        self.conf.findings.warn(leaf.file, f"{dotted(self.key(name))}: {text}")


def read_webserver_conf(conf: Conf) -> Layer:
    """Return what webserver.conf sets."""
    server = _chosen(conf)
    if server is None:
        return {}
    tls, plain = _listener(server, _TLS), _listener(server, _PLAIN)
    if tls and plain:
        name = "port" if server.key("port") in conf.leaves else "host"
        server.warn(name, "is not obeyed: the listener with TLS is the only one")
    _policies(server)
    return {**(tls or plain), **_files(server)}


def _chosen(conf: Conf) -> _Server | None:
    """Return the one web server, or the default one of several."""
    names = conf.names(SECTION)
    if any((SECTION, name) in conf.leaves for name in names):
        return _Server(conf, (SECTION,))
    default = [n for n in names if conf.boolean(SECTION, n, "default-server")]
    if len(names) < 2 or len(default) == 1:
        chosen = next(iter(default or names), None)
        return None if chosen is None else _Server(conf, (SECTION, chosen))
    file = next(leaf.file for key, leaf in conf.leaves.items() if key[0] == SECTION)
    text = f"{SECTION}: none of several is obeyed, as none is the default-server"
    conf.findings.warn(file, text)
    return None


def _listener(server: _Server, kind: tuple[str, str, str, int]) -> Layer:
    what, host_key, port_key, usual = kind
    conf = server.conf
    host = conf.string(*server.key(host_key))
    port = conf.integer(0, 65535, *server.key(port_key))
    leaves = [conf.leaf(*server.key(name)) for name in (host_key, port_key)]
    file = next((leaf.file for leaf in leaves if leaf), None)
    if file is None:
        return {}
    values = {
        "listener.host": host or _LOCAL,
        "listener.port": usual if port is None else port,
        "listener.tls": what == "tls",
    }
    return layer_of(file, values)


def _files(server: _Server) -> Layer:
    layer: Layer = {}
    for name, setting in FILES.items():
        path, leaf = (
            server.conf.string(*server.key(name)),
            server.conf.leaf(*server.key(name)),
        )
        if path is not None and leaf is not None:
            layer |= layer_of(leaf.file, {setting: Path(path)})
    return layer


def _policies(server: _Server) -> None:
    """Warn of what would change who is let in."""
    auth = server.conf.string(*server.key("client-auth"))
    if auth not in (None, "want"):
        text = f"{auth} is not obeyed: a certificate is asked for and may be missing"
        server.warn("client-auth", text)
    protocols = server.conf.strings(*server.key("ssl-protocols"))
    if protocols is not None and set(protocols) != _PROTOCOLS:
        server.warn("ssl-protocols", "is not obeyed: TLS 1.2 and 1.3 are spoken")
    if server.conf.leaf(*server.key("cipher-suites")):
        server.warn("cipher-suites", "is not obeyed: the suites are reseal's own")
    if server.conf.leaf(*server.key("ssl-cert-chain")):
        server.warn("ssl-cert-chain", "is not obeyed: the certificate is sent alone")
