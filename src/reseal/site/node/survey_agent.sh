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
if id pe-puppet >/dev/null 2>&1; then echo "pe user pe-puppet"; fi
for path in $openvox_marks; do if [ -e "$path" ]; then echo "openvox $path"; fi; done
say agents
services $agent_services
say servers
services $server_services

# Lines of cron that start an agent, and timers that start a unit that does.
agent='puppet[^#]*agent|puppetd|run-puppet|puppet-run|reseal +agent'
say cron
cat /etc/crontab /etc/cron.d/* /var/spool/cron/crontabs/* /var/spool/cron/root \
    /etc/anacrontab 2>/dev/null | grep -E "^[^#]*($agent)"
for path in /etc/cron.hourly/* /etc/cron.daily/* /etc/periodic/*/*; do
    if [ -f "$path" ] && grep -qE "^[^#]*($agent)" "$path"; then echo "$path"; fi
done
say timers
if [ "$manager" = systemd ]; then
    for path in $(grep -lsE "^ExecStart=.*($agent)" /etc/systemd/system/*.service \
        /run/systemd/system/*.service /usr/local/lib/systemd/system/*.service \
        /usr/lib/systemd/system/*.service /lib/systemd/system/*.service); do
        for timer in $(systemctl show -p TriggeredBy "$(basename "$path")" |
            sed 's/^TriggeredBy=//'); do
            case $timer in
                *.timer) if status "$timer"; then echo "$timer"; fi ;;
            esac
        done
    done
fi

say puppet
echo "$puppet"
say ruby
echo "$ruby"
if [ -n "$reseal" ] && [ "$puppet" = "$reseal" ]; then
    say contract
    "$reseal" node contract 2>&1 | tail -n 1
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
say free
free "$backup_parent"
say clock
date -u +%s
