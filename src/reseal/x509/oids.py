"""Object identifiers and the names Puppet and OpenSSL give them.

Puppet's arc lies below 1.3.6.1.4.1.34380.1: registered extensions (`.1`), private
ones of a site (`.2`) and authorization (`.3`).

Sources: Puppet, `ssl/oids.rb`; Puppet Server, `certificate_authority.clj`
(`permitted OID` checks); RFC 5280 sections 4.2 and 5.2; RFC 2985 (PKCS #9).
"""

from __future__ import annotations

ARC = "1.3.6.1.4.1.34380.1"
REGISTERED, PRIVATE, AUTHORIZATION = f"{ARC}.1", f"{ARC}.2", f"{ARC}.3"

PP_AUTHORIZATION = f"{AUTHORIZATION}.1"
PP_AUTH_AUTO_RENEW = f"{AUTHORIZATION}.2"
PP_AUTH_ROLE = f"{AUTHORIZATION}.13"
PP_CLI_AUTH = f"{AUTHORIZATION}.39"

_REGISTERED = (
    ("pp_uuid", "UUID"),
    ("pp_instance_id", "Instance ID"),
    ("pp_image_name", "Image Name"),
    ("pp_preshared_key", "Preshared Key"),
    ("pp_cost_center", "Cost Center Name"),
    ("pp_product", "Product Name"),
    ("pp_project", "Project Name"),
    ("pp_application", "Application Name"),
    ("pp_service", "Service Name"),
    ("pp_employee", "Employee Name"),
    ("pp_created_by", "created_by Tag"),
    ("pp_environment", "Environment Name"),
    ("pp_role", "Role Name"),
    ("pp_software_version", "Software Version"),
    ("pp_department", "Department Name"),
    ("pp_cluster", "Cluster Name"),
    ("pp_provisioner", "Provisioner Name"),
    ("pp_region", "Region Name"),
    ("pp_datacenter", "Datacenter Name"),
    ("pp_zone", "Zone Name"),
    ("pp_network", "Network Name"),
    ("pp_securitypolicy", "Security Policy Name"),
    ("pp_cloudplatform", "Cloud Platform Name"),
    ("pp_apptier", "Application Tier"),
    ("pp_hostname", "Hostname"),
    ("pp_owner", "Owner Name"),
)
"""Short names in the order of their numbers, and long ones after `Puppet Node`."""

PUPPET: dict[str, str] = {
    **{f"{REGISTERED}.{n}": name for n, (name, _) in enumerate(_REGISTERED, 1)},
    PP_AUTHORIZATION: "pp_authorization",
    PP_AUTH_AUTO_RENEW: "pp_auth_auto_renew",
    PP_AUTH_ROLE: "pp_auth_role",
    PP_CLI_AUTH: "pp_cli_auth",
}
"""Dotted OID to Puppet's short name."""

PUPPET_LONG: dict[str, str] = {
    **{
        f"{REGISTERED}.{n}": f"Puppet Node {long}"
        for n, (_, long) in enumerate(_REGISTERED, 1)
        if n <= 25
    },
    PP_AUTHORIZATION: "Certificate Extension Authorization",
    PP_AUTH_ROLE: "Puppet Node Role Name for Authorization",
}
"""Dotted OID to the long name that Puppet 5.5 prints; it knows no `pp_owner`."""

SUBJECT_KEY_ID = "2.5.29.14"
KEY_USAGE = "2.5.29.15"
SUBJECT_ALT_NAME = "2.5.29.17"
BASIC_CONSTRAINTS = "2.5.29.19"
CRL_NUMBER = "2.5.29.20"
REASON_CODE = "2.5.29.21"
DELTA_CRL = "2.5.29.27"
AUTHORITY_KEY_ID = "2.5.29.35"
EXTENDED_KEY_USAGE = "2.5.29.37"
NETSCAPE_COMMENT = "2.16.840.1.113730.1.13"

SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"

EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
MS_EXTENSION_REQUEST = "1.3.6.1.4.1.311.2.1.14"
CHALLENGE = "1.2.840.113549.1.9.7"

COMMON_NAME = "2.5.4.3"

_ATTRIBUTES = {
    "challengePassword": CHALLENGE,
    "unstructuredName": "1.2.840.113549.1.9.2",
    "unstructuredAddress": "1.2.840.113549.1.9.8",
    "extReq": EXTENSION_REQUEST,
    "msExtReq": MS_EXTENSION_REQUEST,
    "subjectAltName": SUBJECT_ALT_NAME,
    "nsComment": NETSCAPE_COMMENT,
}
_DOTTED = {name: dotted for dotted, name in PUPPET.items()} | _ATTRIBUTES


def name_of(dotted: str) -> str:
    """Return Puppet's short name of an OID, or the OID itself."""
    return PUPPET.get(dotted, dotted)


def dotted(name: str) -> str | None:
    """Return the OID that a short name or a dotted OID means, or None."""
    if name in _DOTTED:
        return _DOTTED[name]
    parts = name.split(".")
    if len(parts) > 1 and all(part.isascii() and part.isdigit() for part in parts):
        return name
    return None


def is_below(dotted: str, arc: str) -> bool:
    """Say whether an OID lies strictly below `arc`, component by component."""
    return dotted.startswith(f"{arc}.")
