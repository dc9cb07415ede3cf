# Make key stores of Java anew from this node's material, and put them in their places.
#
# Argument: the run's directory.  Standard input: a JSON list of `{path, mode, owner,
# jks, password, ca}`, with `key`, `certificate` and `alias` for one with a key; without
# them it holds the CA's certificates.  `password` is a file of the service's
# configuration and the setting in it; it stays on the node, and out of all arguments.
# `key_password` is the same for the key, if there is such a setting.
# Nothing of the old store is in the new one.  Prints which were renewed.
require 'etc'
require 'fileutils'
require 'json'
require 'openssl'
require 'securerandom'

PEM = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/m
ENTITIES = { 'quot' => '"', 'apos' => "'", 'lt' => '<', 'gt' => '>', 'amp' => '&' }

def certificates(path)
  File.binread(path).scan(PEM).map { |text| OpenSSL::X509::Certificate.new(text) }
end

# The last value of a setting; of XML an attribute.
def secret(file, name)
  text = File.binread(file)
  return text.scan(/^\s*#{Regexp.escape(name)}\s*[=:]\s*(.*?);?\s*$/).flatten.last unless
    file.end_with?('.xml')
  pattern = /\b#{Regexp.escape(name)}\s*=\s*("[^"]*"|'[^']*')/
  quoted = text.gsub(/<!--.*?-->/m, '').scan(pattern).flatten.last
  value = quoted && quoted[1..-2]
  value && value.gsub(/&(#{ENTITIES.keys.join('|')});/) { ENTITIES[$1] }
end

def keytool
  found = ENV['PATH'].split(':').map { |directory| File.join(directory, 'keytool') }
  java = ENV['PATH'].split(':').map { |directory| File.join(directory, 'java') }
  found += java.select { |path| File.exist?(path) }
               .map { |path| File.join(File.dirname(File.realpath(path)), 'keytool') }
  found.find { |path| File.executable?(path) } or abort('no keytool is there')
end

def run(password, *words)
  more = words.last.is_a?(Hash) ? words.pop : {}
  variables = { 'STORE_PASSWORD' => password, 'LC_ALL' => 'C' }.merge(more)
  words = [keytool, '-J-Duser.language=en', *words]
  said = IO.popen([variables, *words, { :err => [:child, :out] }], &:read)
  return if $?.success?
  abort(said[/^keytool error: .*$/] || "keytool: exit status #{$?.exitstatus}")
end

# A store with the key, as PKCS #12 by OpenSSL, then by Java as Java wants it.
def with_key(order, password, work, fresh, kind)
  key = OpenSSL::PKey.read(File.read(order['key']))
  leaf = certificates(order['certificate']).first
  made = OpenSSL::PKCS12.create(password, order['alias'], key, leaf,
                                certificates(order['ca']),
                                'PBE-SHA1-3DES', 'PBE-SHA1-3DES')
  passing = File.join(work, 'passing.p12')
  File.open(passing, File::WRONLY | File::CREAT | File::EXCL, 0600) do |file|
    file.binmode
    file.write(made.to_der)
  end
  run(password, '-importkeystore', '-noprompt',
      '-srckeystore', passing, '-srcstoretype', 'PKCS12',
      '-srcstorepass:env', 'STORE_PASSWORD',
      '-destkeystore', fresh, '-deststoretype', kind,
      '-deststorepass:env', 'STORE_PASSWORD')
  own = secret(*order['key_password']) if order['key_password']
  return if own.nil? || own == password || kind != 'JKS'
  run(password, '-keypasswd', '-alias', order['alias'], '-keystore', fresh,
      '-storepass:env', 'STORE_PASSWORD', '-keypass:env', 'STORE_PASSWORD',
      '-new:env', 'KEY_PASSWORD', 'KEY_PASSWORD' => own)
end

def with_trust(order, password, work, fresh, kind)
  certificates(order['ca']).each_with_index do |certificate, number|
    passing = File.join(work, "ca#{number}.pem")
    File.write(passing, certificate.to_pem)
    run(password, '-importcert', '-noprompt', '-alias', "puppet-ca-#{number}",
        '-file', passing, '-keystore', fresh, '-storetype', kind,
        '-storepass:env', 'STORE_PASSWORD')
  end
end

def owner_of(text)
  user, group = text.split(':')
  uid = user =~ /\A\d+\z/ ? user.to_i : Etc.getpwnam(user).uid
  gid = group =~ /\A\d+\z/ ? group.to_i : Etc.getgrnam(group).gid
  [uid, gid]
end

# A new file of a name that nobody knows: its directory may be another user's.
def replace(path, content, mode, owner)
  parent = File.dirname(path)
  abort("#{parent}: leads elsewhere now") unless File.realpath(parent) == parent
  fresh = File.join(File.dirname(path), ".reseal-#{SecureRandom.hex(8)}")
  flags = File::WRONLY | File::CREAT | File::EXCL | File::NOFOLLOW
  File.open(fresh, flags, 0600) do |file|
    file.chown(*owner)
    file.chmod(mode)
    file.binmode
    file.write(content)
    file.fsync
  end
  File.rename(fresh, path)
rescue StandardError
  File.delete(fresh) if fresh && File.exist?(fresh)
  raise
end

File.umask(077)
work = File.join(ARGV[0], 'stores')
renewed = JSON.parse(STDIN.read).map do |order|
  password = secret(*order['password'])
  abort("#{order['path']}: #{order['password'].join(': ')}: no password") if password.nil?
  begin
    FileUtils.rm_rf(work)
    Dir.mkdir(work, 0700)
    fresh = File.join(work, 'fresh')
    kind = order['jks'] ? 'JKS' : 'PKCS12'
    send(order['key'] ? :with_key : :with_trust, order, password, work, fresh, kind)
    owner = owner_of(order['owner'])
    replace(order['path'], File.binread(fresh), order['mode'].to_i(8), owner)
  ensure
    FileUtils.rm_rf(work)
  end
  order['path']
end
restorecon = %w[/sbin /usr/sbin].map { |d| "#{d}/restorecon" }
                                .find { |path| File.executable?(path) }
system(restorecon, *renewed) if restorecon && !renewed.empty?
system('sync')
puts JSON.generate('renewed' => renewed)
