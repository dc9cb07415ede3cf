# Make RSA keys on the node that owns them; print their public halves.
#
# Arguments: the backup's directory, then `PATH=BITS` for each key.  A key that is there already is kept, so
# that an interrupted run goes on with it.  Files are 0600 from the first byte.
require 'json'
require 'openssl'

def private_key(path, bits)
  return OpenSSL::PKey.read(File.read(path)) if File.size?(path)
  key = OpenSSL::PKey::RSA.new(bits)
  temporary = "#{path}.new"
  File.delete(temporary) if File.exist?(temporary)
  flags = File::WRONLY | File::CREAT | File::EXCL
  File.open(temporary, flags, 0600) { |f| f.write(key.to_pem); f.fsync }
  File.rename(temporary, path)
  key
end

backup, *wishes = ARGV
# One script of a run at a time: an earlier one whose connection broke may go on.
lock = File.open(File.join(backup, 'lock'), 'w', 0600)
lock.flock(File::LOCK_EX)
keys = {}
makers = wishes.map do |wish|
  path, bits = wish.split('=')
  # One process for each key: Ruby makes keys one at a time.
  reader, writer = IO.pipe
  pid = fork do
    reader.close
    writer.write(private_key(path, bits.to_i).public_key.to_pem)
    writer.close
  end
  writer.close
  [path, pid, reader]
end
makers.each do |path, pid, reader|
  keys[path] = reader.read
  Process.wait(pid)
  abort("cannot make #{path}") unless $?.success?
end
puts JSON.generate(keys)
