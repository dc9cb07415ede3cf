#!/bin/sh
# Run in a chroot of `mmdebstrap --variant=minbase --include=openrc,sysvinit-core bookworm`
# (OpenRC 0.45.2), in namespaces of its own; its output is openrc.txt.
cat > /etc/init.d/t-good <<'E'
#!/sbin/openrc-run
command=/bin/sleep
command_args=1000
command_background=true
pidfile=/run/t-good.pid
E
cat > /etc/init.d/t-bad <<'E'
#!/sbin/openrc-run
start() { eerror "no way"; return 1; }
E
chmod 755 /etc/init.d/t-good /etc/init.d/t-bad
mkdir -p /run/openrc/starting /run/openrc/started /run/openrc/stopping /run/openrc/exclusive /run/openrc/daemons /run/openrc/options /run/openrc/failed /run/openrc/inactive /run/openrc/wasinactive /run/openrc/scheduled /run/openrc/tmp; echo default > /run/openrc/softlevel; rm -f /run/t-good.pid
do_() { printf '$ %s\n' "$*"; "$@" </dev/null 2>&1; echo "= $?"; }
do_ /sbin/rc-service -C --list
do_ /sbin/rc-service t-good status
do_ /sbin/rc-service t-good start
do_ /sbin/rc-service t-good status
do_ /bin/rc-status -C -a
do_ /sbin/rc-update -C add t-good
do_ /bin/rc-status -C -a
do_ /sbin/rc-update -C add t-good
do_ /sbin/rc-service t-good stop
do_ /sbin/rc-service t-good status
do_ /sbin/rc-update -C del t-good
do_ /sbin/rc-update -C del t-good
do_ /sbin/rc-service t-bad start
do_ /sbin/rc-service t-nosuch status
do_ /sbin/rc-service t-nosuch start
do_ /sbin/rc-update -C add t-nosuch
