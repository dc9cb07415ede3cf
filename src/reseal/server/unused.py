"""Settings that are Puppet's and that a CA has no use for, as tables.

What stands here is told as *not used by reseal*; a setting that stands nowhere is
told as unknown.  Each prefix has its reason, so that an operator can judge whether
the setting mattered to him.

Sources: Puppet Server's configuration files; trapperkeeper-webserver-jetty9,
`jetty-config.md`; Puppet 5.5, 7 and 8, `defaults.rb`.
"""

from __future__ import annotations

from reseal.server.hocon import Key

_OWN = "reseal.toml has its own limits, in [listener]"
_TUNING = (
    *("max-threads", "acceptor-threads", "selector-threads", "queue-max-size"),
    *("ssl-acceptor-threads", "ssl-selector-threads", "so-linger-seconds"),
    *("idle-timeout-milliseconds", "shutdown-timeout-seconds", "gzip-enable"),
    *("request-header-max-size", "request-body-max-size", "jmx-enable"),
    *("request-header-size", "response-header-size", "post-config-script"),
)
_WEBSERVER = dict.fromkeys(_TUNING, _OWN) | {
    "access-log-config": "reseal.toml has listener.access_log",
    "static-content": "only the CA's own paths are served",
}
_LOCKS = "reseal waits 60 seconds for every lock"

PREFIXES: dict[Key, str] = {
    ("jruby-puppet",): "no Ruby runs in the server",
    ("profiler",): "no Ruby runs in the server",
    ("http-client",): "the server calls nobody",
    ("metrics",): "there are no metrics of the Java kind",
    ("product",): "reseal looks for no updates",
    ("versioned-code",): "reseal has its own, in [primary]",
    ("puppetserver",): "reseal has its own, in [primary]",
    ("file-serving",): "reseal has its own, in [primary]",
    ("dropsonde",): "reseal sends nothing home",
    ("nrepl",): "there is no Clojure to talk to",
    ("puppet-admin",): "there are no compilers to restart",
    ("status",): "the status service has no settings",
    ("debug",): "reseal logs by its own options",
    ("global", "logging-config"): "reseal logs by its own options",
    ("web-router-service",): "only the CA and its status are served",
    ("certificate-authority", "serial-lock-timeout-seconds"): _LOCKS,
    ("certificate-authority", "crl-lock-timeout-seconds"): _LOCKS,
    ("certificate-authority", "inventory-lock-timeout-seconds"): _LOCKS,
}
"""What conf.d may hold that has no bearing on a CA."""

ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(
        (
            *("cacert", "cakey", "capub", "cacrl", "signeddir", "csrdir"),
            *("serial", "cert_inventory", "caprivatedir", "capass"),
        ),
        "files of the CA are where they usually are in cadir",
    ),
    "ca": "the server is a CA whatever this says",
    "ssl_client_header": "the header is X-Client-DN, as with Puppet Server",
    "ssl_client_verify_header": "the header is X-Client-Verify, as with Puppet Server",
    "bindaddress": "webserver.conf or reseal.toml says where to listen",
}
"""Settings of puppet.conf that once meant something to a CA, and why not here."""

_PUPPET = """
agent_catalog_run_lockfile agent_disabled_lockfile agent_pidfile
allow_pson_serialization allow_variables_with_dashes always_retry_plugins
app_management archive_file_server archive_files async_storeconfigs autoflush
basemodulepath binder_config bucketdir ca_fingerprint ca_md ca_refresh_interval
catalog_cache_terminus catalog_format catalog_terminus cfacter ciphers classfile
client_datadir clientbucketdir clientyamldir code codedir color config
config_file_name config_version configprint configtimeout crl_refresh_interval
daemonize data_binding_terminus dbadapter default_file_terminus default_manifest
default_schedules deviceconfdir deviceconfig diff diff_args digest_algorithm
disable_i18n disable_per_environment_manifest disable_warnings document_all
dynamicfacts environment environment_data_provider environment_timeout
environmentpath evaltrace exclude_unchanged_resources external_nodes
fact_name_length_soft_limit fact_value_length_soft_limit factpath facts_terminus
fileserverconfig filetimeout forge_authorization freeze_main future_features
genconfig genmanifest graph graphdir hiera_config hostcert_renewal_interval hostcsr
http_compression http_connect_timeout http_debug http_extra_headers
http_keepalive_timeout http_proxy_host http_proxy_password http_proxy_port
http_proxy_user http_read_timeout http_user_agent ignore_plugin_errors ignorecache
ignoremissingtypes ignoreschedules immutable_node_data include_legacy_facts
inventory_port inventory_server inventory_terminus lastrunfile lastrunreport
ldapattrs ldapbase ldapclassattrs ldapparentattr ldappassword ldapport
ldapserver ldapssl ldapstackedattrs ldapstring ldaptls ldapuser libdir listen
localconfig localedest localesource location_trusted log_level logdest logdir
manage_internal_file_permissions manifest manifestdir masterhttplog max_deprecations
max_errors max_warnings maximum_uid maxwaitforcert maxwaitforlock
merge_dependency_warnings mkusers module_groups module_skeleton_dir
module_working_dir modulepath no_proxy node_cache_terminus
node_name_fact node_name_value node_terminus noop number_of_facts_soft_limit onetime
ordering parser passfile path payload_soft_limit pidfile plugindest pluginfactdest
pluginfactsource pluginsignore pluginsource pluginsync postrun_command
preferred_serialization_format preprocess_deferred prerun_command preview_outputdir
priority privatedir profile publicdir puppet_trace puppetdlockfile puppetdlog
puppetport rails_loglevel report report_configured_environmentpath
report_include_system_store report_port report_server reportdir reports reportserver
reporturl resourcefile rest_authconfig resubmit_facts rich_data route_file rundir
runinterval runtimeout server_datadir server_list settings_catalog show_diff
skip_logging_catalog_request_destination skip_tags sourceaddress splay splaylimit
srv_domain ssl_client_ca_auth ssl_lockfile ssl_server_ca_auth ssl_trust_store
statedir statefile statettl static_catalogs storeconfigs storeconfigs_backend strict
strict_environment_mode strict_hostname_checking strict_variables stringify_facts
summarize supported_checksum_types syslogfacility tags tasks templatedir
thin_storeconfigs top_level_facts_soft_limit trace transactionstorefile
trusted_external_command trusted_node_data trusted_server_facts use_cached_catalog
use_last_environment use_srv_records usecacheonfailure vardir vendormoduledir
versioned_environment_dirs waitforcert waitforlock write_catalog_summary yamldir
"""
PUPPET = frozenset(_PUPPET.split())
"""Settings of puppet.conf that are about agents, catalogs, reports and the like."""


def reason(key: Key) -> tuple[Key, str] | None:
    """Return the beginning of a key that is in no use, and why; None if it is unknown.

    Args:
        key: A setting of conf.d that nobody asked for.
    """
    if key[0] == "webserver" and len(key) > 1:
        for end in (2, 3):
            if key[end - 1 : end] and key[end - 1] in _WEBSERVER:
                return key[:end], _WEBSERVER[key[end - 1]]
    for end in range(1, len(key) + 1):
        if key[:end] in PREFIXES:
            return key[:end], PREFIXES[key[:end]]
    return None
