# Put copies of this node's material in their places, each with owner and mode first.
#
# Standard input: a JSON list of `{path, mode, owner, from}`: `from` lists the files
# whose contents follow each other in the copy.  A copy that holds them already stays
# as it is.  Prints which were renewed.
require 'etc'
require 'json'
require 'securerandom'

def owner_of(text)
  user, group = text.split(':')
  uid = user =~ /\A\d+\z/ ? user.to_i : Etc.getpwnam(user).uid
  gid = group =~ /\A\d+\z/ ? group.to_i : Etc.getgrnam(group).gid
  [uid, gid]
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
  File.delete(fresh) if File.exist?(fresh)
  raise
end

renewed = []
JSON.parse(STDIN.read).each do |copy|
  content = copy['from'].map { |path| read(path) }.join
  path = copy['path']
  next if File.file?(path) && !File.symlink?(path) && File.binread(path) == content
  replace(path, content, copy['mode'].to_i(8), owner_of(copy['owner']))
  renewed << path
end
restorecon = %w[/sbin /usr/sbin].map { |d| "#{d}/restorecon" }
                                .find { |path| File.executable?(path) }
system(restorecon, *renewed) if restorecon && !renewed.empty?
system('sync')
puts JSON.generate('renewed' => renewed)
