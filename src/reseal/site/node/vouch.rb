# Show that this node has a private key: sign with it what was asked.
#
# Argument: the key's path.  Standard input: the challenge, in base64, which is signed
# behind words that nothing else begins with (SHA-256; RSA PKCS#1 v1.5 or ECDSA).
# Prints the public half (SubjectPublicKeyInfo) and the signature, both in base64.
require 'json'
require 'openssl'

WORDS = "reseal: who has this key\0"

def public_info(key)
  return key.public_to_der if key.respond_to?(:public_to_der)
  return key.public_key.to_der unless key.is_a?(OpenSSL::PKey::EC)
  half = OpenSSL::PKey::EC.new(key.group)
  half.public_key = key.public_key
  half.to_der
end

# Not what somebody's link leads to.
text = File.open(ARGV[0], File::RDONLY | File::NOFOLLOW, &:read)
key = OpenSSL::PKey.read(text)
data = WORDS + STDIN.read.unpack('m').first
digest = OpenSSL::Digest.new('SHA256')
elliptic = key.is_a?(OpenSSL::PKey::EC)
signature = elliptic ? key.dsa_sign_asn1(digest.digest(data)) : key.sign(digest, data)
puts JSON.generate('public' => [public_info(key)].pack('m0'),
                   'signature' => [signature].pack('m0'))
