# Any node: what it is, Puppet's settings and files, how the agent is run.
say platform
kernel=$(uname -s | tr 'A-Z' 'a-z') id='' version=''
if [ -r /etc/os-release ]; then
    id=$(. /etc/os-release && echo "$ID")
    version=$(. /etc/os-release && echo "${VERSION_ID:-}")
elif [ -r /etc/redhat-release ]; then
    id=$(sed -n '1s/ .*//p' /etc/redhat-release | tr 'A-Z' 'a-z')
    version=$(sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p' /etc/redhat-release)
elif command -v sw_vers >/dev/null 2>&1; then
    id=macos version=$(sw_vers -productVersion)
fi
echo "$kernel $id $version $(uname -m)"

say manager
echo "$manager"
say marks
for path in $pe_marks; do if [ -e "$path" ]; then echo "pe $path"; fi; done
if [ -z "$node_home" ] && id pe-puppet >/dev/null 2>&1; then echo "pe user pe-puppet"; fi
for path in $openvox_marks; do if [ -e "$path" ]; then echo "openvox $path"; fi; done
say agents
services $agent_services
say servers
services $server_services

agent="$puppets_agent|reseal +agent"
say cron
scheduled "$agent"
say timers
timed "$agent"

say puppet
echo "$puppet"
say ruby
echo "$ruby"
if [ -n "$reseal" ] && [ "$puppet" = "$reseal" ]; then
    say contract
    "$reseal" node contract -- 2>&1 | tail -n 1
fi
if [ -n "$puppet" ]; then
    if conf=$("$puppet" config print --section agent 2>&1); then
        say config
    else
        say config-error
    fi
    printf '%s\n' "$conf"
    if [ -z "$(setting http_user_agent)" ]; then
        say version
        "$puppet" --version 2>&1
    fi
    say_file disabled "$(setting agent_disabled_lockfile)"
    say_file hostcert "$(setting hostcert)"
    say_file localcacert "$(setting localcacert)"
    say_file hostcrl "$(setting hostcrl)"
    ssldir=$(setting ssldir)
    if [ -d "$ssldir" ]; then
        say ssldir
        owner "$ssldir/."
        kilobytes "$ssldir"
        say physical
        physical "$ssldir"
    fi
    say_key "$(setting hostprivkey)" "$(setting passfile)"
fi
extensions
say backups
echo "$backup_parent"
say free
free "$backup_parent"
say clock
date -u +%s
