#!/bin/sh
# On the server of a lab site: a module with everything a primary serves of one, and
# an environment whose manifest is wrong.
set -eu
code=/etc/puppet/code
demo=$code/environments/production/modules/demo
mkdir -p $demo/lib/facter $demo/lib/puppet/functions $demo/facts.d $demo/files/dir/deep \
    $demo/locales $demo/lib/.git $demo/manifests $code/environments/broken/manifests \
    $code/environments/production/manifests
printf 'Facter.add(:demo) { setcode { "from ruby" } }\n' >$demo/lib/facter/demo.rb
printf 'x\n' >$demo/lib/.git/config
printf 'demo_told=told\n' >$demo/facts.d/demo.txt
printf 'hello\n' >$demo/files/hello.txt
printf 'space\n' >"$demo/files/with space.txt"
printf 'a\n' >$demo/files/dir/a.txt
printf 'b\n' >$demo/files/dir/deep/b.txt
printf 'msgid ""\n' >$demo/locales/demo.pot
ln -sf hello.txt $demo/files/link
ln -sf nosuch $demo/files/dangling
printf 'outside\n' >$code/outside.txt
ln -sf $code/outside.txt $demo/files/outside
chmod 0640 $demo/files/hello.txt
chown puppet: $demo/files/hello.txt
printf 'class demo { notify { "demo": message => "class demo" } }\n' >$demo/manifests/init.pp
printf 'node default { include demo  file { "/tmp/demo": ensure => file, content => "here\\n" } }\n' \
    >$code/environments/production/manifests/site.pp
printf 'node default { nosuch(1) }\n' >$code/environments/broken/manifests/site.pp
find $demo -exec touch -h -d '2026-01-01 00:00:00 UTC' {} +
