# Put copies of this node's material in their places, each with owner and mode first.
#
# Standard input: a JSON list of `{path, mode, owner, from}`: `from` lists the files
# whose contents follow each other in the copy.  With `der`, which is `key` or
# `certificate`, it is one, as DER in the copy.  With `content`, in base64, in place of
# `from`: what is meant itself.  A copy that holds it already stays as it is.  Prints
# which were renewed.
require 'etc'
require 'json'
require 'openssl'
require 'securerandom'

def owner_of(text)
  user, group = text.split(':')
  uid = user =~ /\A\d+\z/ ? user.to_i : Etc.getpwnam(user).uid
  gid = group =~ /\A\d+\z/ ? group.to_i : Etc.getgrnam(group).gid
  [uid, gid]
end

def content(copy)
  return copy['content'].unpack('m').first if copy['content']
  return der(copy['der'], copy['from'].first) if copy['der']
  copy['from'].map { |path| read(path) }.join
end

# A certificate, or a key as PKCS #8, which Ruby before 3.0 does not write.
def der(kind, path)
  text = File.binread(path)
  return OpenSSL::X509::Certificate.new(text).to_der if kind == 'certificate'
  key = OpenSSL::PKey.read(text)
  return key.private_to_der if key.respond_to?(:private_to_der)
  abort("#{path}: is no RSA key, which this Ruby needs") unless key.is_a?(OpenSSL::PKey::RSA)
  kind = OpenSSL::ASN1::Sequence([OpenSSL::ASN1::ObjectId('rsaEncryption'),
                                  OpenSSL::ASN1::Null(nil)])
  whole = [OpenSSL::ASN1::Integer(0), kind, OpenSSL::ASN1::OctetString(key.to_der)]
  OpenSSL::ASN1::Sequence(whole).to_der
end

def read(path)
  text = File.binread(path)
  text.empty? || text.end_with?("\n") ? text : "#{text}\n"
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

# The parser's own words would tell what it read.
orders = begin
  JSON.parse(STDIN.read)
rescue JSON::ParserError
  abort('standard input was cut short')
end
renewed = []
orders.each do |copy|
  wanted = content(copy)
  path = copy['path']
  next if File.file?(path) && !File.symlink?(path) && File.binread(path) == wanted
  replace(path, wanted, copy['mode'].to_i(8), owner_of(copy['owner']))
  renewed << path
end
restorecon = %w[/sbin /usr/sbin].map { |d| "#{d}/restorecon" }
                                .find { |path| File.executable?(path) }
system(restorecon, *renewed) if restorecon && !renewed.empty?
system('sync')
puts JSON.generate('renewed' => renewed)
