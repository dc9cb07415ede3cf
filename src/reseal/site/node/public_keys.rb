# Tell the public halves of private keys; the private ones stay where they are.
#
# Arguments: for each key its path and that of its passphrase.  Prints a line for
# each: `missing`, `locked` (encrypted, and no passphrase opens it), `broken WHY`, or
# `plain` or `encrypted` with the SubjectPublicKeyInfo in base64.
require 'openssl'

def public_info(key)
  return key.public_to_der if key.respond_to?(:public_to_der)
  return key.public_key.to_der unless key.is_a?(OpenSSL::PKey::EC)
  half = OpenSSL::PKey::EC.new(key.group)
  half.public_key = key.public_key
  half.to_der
end

# Anybody can write a file with the public half of a key that is not his and numbers of
# his own in it: only what signs what its public half verifies counts.
def whole?(key)
  digest = OpenSSL::Digest.new('SHA256')
  data = 'reseal: a trial'
  if key.is_a?(OpenSSL::PKey::EC)
    half = OpenSSL::PKey.read(public_info(key))
    return half.dsa_verify_asn1(digest.digest(data), key.dsa_sign_asn1(digest.digest(data)))
  end
  OpenSSL::PKey.read(public_info(key)).verify(digest, key.sign(digest, data), data)
rescue OpenSSL::OpenSSLError
  false
end

def tell(path, passphrase)
  return 'missing' unless File.file?(path)
  text = File.binread(path)
  encrypted = text.include?('ENCRYPTED')
  words = ['']
  words += [File.binread(passphrase), File.binread(passphrase).chomp] if File.file?(passphrase)
  key = nil
  words.each { |word| key ||= (OpenSSL::PKey.read(text, word) rescue nil) }
  return encrypted ? 'locked' : 'broken not a private key' if key.nil?
  return 'broken only the public half' if key.respond_to?(:private?) && !key.private?
  return 'broken its numbers do not belong together' unless whole?(key)
  "#{encrypted ? 'encrypted' : 'plain'} #{[public_info(key)].pack('m0')}"
rescue StandardError => error
  "broken #{error.message}"
end

ARGV.each_slice(2) { |path, passphrase| puts tell(path, passphrase.to_s) }
