# What both surveys of a node need.  Nothing here, and nothing it calls, writes.
# Standard input is a mark that no file contains, and nobody else on the node knows; $1
# is the Ruby program public_keys.rb.
IFS= read -r mark
public_keys=$1

# A section begins with a line of the mark and its name.
say() { printf '\n%s %s\n' "$mark" "$1"; }

# say_file NAME PATH: a section with a file's text; no section without the file.
say_file() {
    if [ -f "$2" ]; then
        say "$1"
        cat -- "$2"
    fi
}

# setting NAME: its value in the settings that $conf holds.
setting() { printf '%s\n' "$conf" | sed -n "s/^$1 = //p" | head -n 1; }

# settings FILE: its lines; of XML each attribute as a line, without what is commented.
settings() {
    case $1 in
        *.xml) awk "$attributes" "$1" ;;
        *) cat -- "$1" ;;
    esac
}
attributes='
{ text = text $0 " " }
END {
    while ((begin = index(text, "<!--")) > 0) {
        rest = substr(text, begin + 4)
        end = index(rest, "-->")
        text = substr(text, 1, begin - 1) " " (end ? substr(rest, end + 3) : "")
    }
    attribute = "[A-Za-z_][A-Za-z0-9_:.-]*[ \t\r]*=[ \t\r]*(\"[^\"]*\"|\047[^\047]*\047)"
    while (match(text, attribute)) {
        print substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
    }
}'

# secret FILE NAME: the value of a setting, without quotes.
secret() {
    settings "$1" | sed -n "s/^[[:space:]]*$2[[:space:]]*[=:][[:space:]]*//p" | tail -n 1 |
        case $1 in
            *.xml)
                sed 's/^.\(.*\).$/\1/
                    s/&quot;/"/g; s/&apos;/'"'"'/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g'
                ;;
            *) sed 's/;*[[:space:]]*$//' ;;
        esac
}

# physical DIRECTORY: its path without links; as it is if it is none.
physical() { (cd -P -- "$1" 2>/dev/null && pwd -P) || printf '%s\n' "$1"; }

# owner PATH, kilobytes PATH, free PATH: of the path or its nearest parent.
owner() { ls -ld -- "$1" 2>/dev/null | { read -r _ _ user group _ && echo "$user:$group"; }; }
kilobytes() { du -sk -- "$1/." 2>/dev/null | { read -r size _ && echo "$size"; }; }
free() {
    path=$1
    until [ -d "$path" ]; do path=$(dirname -- "$path"); done
    df -Pk -- "$path" | { read -r _; read -r _ _ _ free _ && echo "$free"; }
}

# services NAME…: a line for each that is known: name, active?, enabled?  What the
# service manager cannot tell ends with 44.
services() {
    for service in "$@"; do
        known "$service" >/dev/null 2>&1 || continue
        if status "$service" >/dev/null 2>&1; then active=yes; else active=no; fi
        enabled "$service" >/dev/null 2>&1
        case $? in
            0) enabled=yes ;;
            44) enabled=unknown ;;
            *) enabled=no ;;
        esac
        echo "$service $active $enabled"
    done
}

# first PATH…: the first that can be executed.
first() {
    for path in "$@"; do
        if [ -x "$path" ]; then
            echo "$path"
            return
        fi
    done
}

if [ -n "$node_home" ]; then
    manager=scripts backup_parent=$node_home/backups pe_marks='' server_configs=''
elif [ -d /run/systemd/system ]; then
    manager=systemd
elif [ "$(uname -s)" = Darwin ]; then
    manager=launchd
elif [ -d /run/openrc ] && command -v rc-service >/dev/null 2>&1; then
    manager=openrc
elif [ -d /etc/init.d ] && command -v service >/dev/null 2>&1; then
    manager=sysv
else
    manager=none
fi
define_manager "$manager"

# scheduled PATTERN: lines of cron that start an agent, scripts that cron runs.
scheduled() {
    [ -z "$node_home" ] || return 0
    cat /etc/crontab /etc/cron.d/* /var/spool/cron/crontabs/* /var/spool/cron/root \
        /etc/anacrontab 2>/dev/null | grep -E "^[^#]*($1)"
    for path in /etc/cron.hourly/* /etc/cron.daily/* /etc/periodic/*/*; do
        if [ -f "$path" ] && grep -qE "^[^#]*($1)" "$path"; then echo "$path"; fi
    done
}

# timed PATTERN: timers that start a unit that starts an agent.
timed() {
    [ "$manager" = systemd ] || return 0
    for path in $(grep -lsE "^ExecStart=.*($1)" /etc/systemd/system/*.service \
        /run/systemd/system/*.service /usr/local/lib/systemd/system/*.service \
        /usr/lib/systemd/system/*.service /lib/systemd/system/*.service); do
        for timer in $(systemctl show -p TriggeredBy "$(basename "$path")" |
            sed 's/^TriggeredBy=//'); do
            case $timer in
                *.timer) if status "$timer"; then echo "$timer"; fi ;;
            esac
        done
    done
}

# is_ours: reseal's agent is this node's: it runs, or it would and Puppet's would not.
is_ours() {
    known "$our_agent" || return 1
    if status "$our_agent"; then return 0; fi
    enabled "$our_agent"
    case $? in 0 | 44) ;; *) return 1 ;; esac
    for service in $agent_services; do
        if known "$service" && { status "$service" || enabled "$service"; }; then
            return 1
        fi
    done
    [ -z "$(scheduled "$puppets_agent"; timed "$puppets_agent")" ]
}

# say_public KEY PASSFILE: a line about a private key, where there is a program to ask.
say_public() {
    if [ -n "$ruby" ]; then
        "$ruby" -e "$public_keys" "$1" "${2:-}" 2>&1
    elif [ -n "$reseal" ] && [ "$puppet" = "$reseal" ]; then
        "$reseal" node public_keys -- "$1" "${2:-}" 2>&1 | tail -n 1 |
            sed 's/^\["//; s/"\]$//'
    fi
}

# say_key KEY PASSFILE: the same, as a section; none without a program.
say_key() {
    if [ -n "$ruby" ] || { [ -n "$reseal" ] && [ "$puppet" = "$reseal" ]; }; then
        say key
        say_public "$@"
    fi
}

export PYTHONDONTWRITEBYTECODE=1
puppets_agent='puppet[^#]*agent|puppetd|run-puppet|puppet-run'
if [ -n "$node_home" ]; then
    puppet=$(first "$node_home/bin/puppet") reseal=$(first "$node_home/bin/reseal")
else
    puppet=$(first $puppet_commands)
    [ -n "$puppet" ] || puppet=$(command -v puppet) || puppet=
    reseal=$(command -v reseal) || reseal=$(first $our_commands)
fi
if [ -n "$reseal" ] && { [ -z "$puppet" ] || is_ours >/dev/null 2>&1; }; then
    puppet=$reseal agent_services=$our_agent ruby=
else
    ruby=$(first $(rubies "$puppet"))
    [ -n "$ruby" ] || ruby=$(command -v ruby) || ruby=
fi
