#!/bin/sh
# What `puppet resource service` prints, as root on a node with Puppet and systemd:
#     lab/lab exec agent1 "$(cat tests/data/resource/record.sh)" >tests/data/resource/7-systemd.txt
# With OLD=1 on a node whose first process is not systemd, with SysV scripts:
#     the lab's image as a chroot; see tests/real/test_real_resource.py.
set -u
if [ -z "${OLD:-}" ]; then
    for name in good bad oneshot; do
        case $name in
            good) run='ExecStart=/bin/sleep 1000' ;;
            bad) run='ExecStart=/bin/false
Type=oneshot' ;;
            oneshot) run='ExecStart=/bin/true
Type=oneshot
RemainAfterExit=yes' ;;
        esac
        printf '[Unit]\nDescription=%s\n[Service]\n%s\n[Install]\nWantedBy=multi-user.target\n' \
            "$name" "$run" >/etc/systemd/system/t-$name.service
    done
    printf '[Unit]\nDescription=static\n[Service]\nExecStart=/bin/sleep 1000\n' \
        >/etc/systemd/system/t-static.service
    ln -sf /dev/null /etc/systemd/system/t-masked.service
    printf '[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n' \
        >/etc/systemd/system/t-inst@.service
    systemctl daemon-reload
else
    cat >/etc/init.d/t-good <<'END'
#!/bin/sh
### BEGIN INIT INFO
# Provides: t-good
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
case "$1" in
    start) touch /run/t-good; echo started ;;
    stop) rm -f /run/t-good ;;
    restart) rm -f /run/t-good; touch /run/t-good ;;
    status) test -e /run/t-good || exit 3 ;;
    *) exit 1 ;;
esac
END
    sed 's/t-good/t-bad/; s/start) touch.*/start) echo "no way" >\&2; exit 7 ;;/; s#/run/t-good#/run/t-bad#' \
        /etc/init.d/t-good >/etc/init.d/t-bad
    sed -i 's#/run/t-good#/run/t-bad#g' /etc/init.d/t-bad
    chmod 755 /etc/init.d/t-good /etc/init.d/t-bad
fi

ask() { # WORDS…
    printf '$ resource service'
    for word; do
        case $word in *' '*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac
    done
    printf '\n'
    ${RESOURCE:-puppet resource} service --color=false "$@" >/tmp/out 2>/tmp/err </dev/null
    code=$?
    sed 's/^/1 /' /tmp/out
    sed 's/^/2 /' /tmp/err
    printf '= %s\n' "$code"
}

ask t-good
ask t-good ensure=running
ask t-good ensure=running
ask t-good ensure=running enable=true
ask t-good
ask t-good ensure=stopped enable=false
ask t-good ensure=stopped
ask t-good ensure=true
ask t-good ensure=false
ask t-good enable=true
ask t-good enable=manual
ask t-good enable=mask
ask t-good
ask t-good enable=false
ask t-bad
ask t-bad ensure=running
ask t-bad ensure=running enable=true
ask t-bad ensure=stopped enable=false
ask t-nosuch
ask t-nosuch ensure=stopped
ask t-nosuch ensure=running
ask t-nosuch enable=true
ask t-nosuch enable=false
if [ -z "${OLD:-}" ]; then
    ask t-good.service
    ask t-good.service ensure=running
    ask t-good.service ensure=stopped
    ask t-oneshot ensure=running
    ask t-static
    ask t-static ensure=running
    ask t-static enable=true
    ask t-static ensure=stopped
    ask t-masked
    ask t-masked ensure=running
    ask t-masked enable=true
    ask t-masked enable=false
    ln -sf /dev/null /etc/systemd/system/t-masked.service
    systemctl daemon-reload
    ask t-inst@one ensure=running enable=true
    ask t-inst@one ensure=stopped enable=false
    ask ssh.socket
    ask multi-user.target
fi
ask t-good ensure=x
ask t-good enable=x
ask t-good nosuch=x
ask t-good ensure=
ask t-good ensure
ask t-good name=t-bad
ask t-good provider=nosuch
ask t-good provider=launchd
ask t-good provider=base
ask t-good provider=systemd
ask t-good provider=init
ask t-good hasstatus=true ensure=stopped
# Without a status command, Puppet finds its own process by that name, and is content.
[ -n "${OLD:-}" ] || ask t-good hasstatus=false ensure=running
ask t-good ensure=running --noop
ask t-good ensure=running enable=true --noop
ask t-good ensure=stopped --noop
ask --to_yaml t-good
ask --to_yaml t-good ensure=running
ask t-good ensure=stopped --fail
ask t-bad ensure=running --fail
ask --noop --verbose t-good ensure=running
ask --param status t-good
ask --param status,hasrestart t-good
ask --edit x y
ask --types
ask "two words"
ask "it's" ensure=stopped
ask ''
ask --nosuch t-good
ask t-good ensure=running ensure=stopped
ask T-Good
