# Put files in place inside a directory, each with owner and mode before content.
#
# Arguments: the directory (made anew), `user:group`.  Standard input: a JSON list,
# in order, of directories `{path, mode}` and files `{path, mode, content}`
# (base64) or `{path, mode, from}` (a file to move there).
require 'etc'
require 'fileutils'
require 'json'

base, owner = ARGV
user, group = owner.split(':')
uid = user =~ /\A\d+\z/ ? user.to_i : Etc.getpwnam(user).uid
gid = group =~ /\A\d+\z/ ? group.to_i : Etc.getgrnam(group).gid
FileUtils.rm_rf(base)
Dir.mkdir(base, 0700)
JSON.parse(STDIN.read).each do |entry|
  path = File.join(base, entry['path'])
  mode = entry['mode'].to_i(8)
  if entry['content']
    File.open(path, File::WRONLY | File::CREAT | File::EXCL, 0600) do |f|
      f.chown(uid, gid)
      f.chmod(mode)
      f.binmode
      f.write(entry['content'].unpack('m').first)
      f.fsync
    end
  elsif entry['from']
    File.open(path, File::WRONLY | File::CREAT | File::EXCL, 0600) do |f|
      f.chown(uid, gid)
      f.chmod(mode)
      f.write(File.read(entry['from']))
      f.fsync
    end
  else
    Dir.mkdir(path, 0700)
    File.chown(uid, gid, path)
    File.chmod(mode, path)
  end
end
system('sync')
puts JSON.generate('staged' => base)
