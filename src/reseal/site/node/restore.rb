# Put a backup back in place of what is there now, and prove it.
#
# Arguments: the backup's directory, then the absolute paths it was made of.
# First all content is copied beside what it will replace (for a directory, inside
# it) and compared with the backup's manifest; only then it is renamed into place
# and what was there goes.  The backup itself is only read, so the script can be
# killed anywhere and run again.
require 'digest'
require 'fileutils'
require 'json'

def describe(path)
  stat = File.lstat(path)
  content =
    if stat.symlink? then "link #{File.readlink(path)}"
    elsif stat.directory? then 'directory'
    elsif stat.file? then Digest::SHA256.file(path).hexdigest
    else stat.ftype
    end
  format('%04o %d:%d %s', stat.mode & 07777, stat.uid, stat.gid, content)
end

def manifest(path, shown)
  lines = ["#{describe(path)} #{shown}"]
  if File.lstat(path).directory?
    names(path).each do |name|
      lines.concat(manifest(File.join(path, name), File.join(shown, name)))
    end
  end
  lines
end

def there?(path)
  File.exist?(path) || File.symlink?(path)
end

def real_directory?(path)
  there?(path) && File.lstat(path).directory?
end

def names(directory)
  Dir.entries(directory) - ['.', '..']
end

def remove(path)
  FileUtils.remove_entry(path) if there?(path)
end

# A directory stays itself, so that a mount point or a watch survives.
def in_place?(saved, path)
  real_directory?(saved) && real_directory?(path)
end

def beside(saved, path)
  in_place?(saved, path) ? File.join(path, STAGED) : "#{path}#{STAGED}"
end

def stage(saved, path)
  fresh = beside(saved, path)
  remove(fresh)
  FileUtils.mkdir_p(File.dirname(fresh))
  system('cp', *COPY, saved, fresh) or abort("cannot copy #{saved}")
  fresh
end

def swap_children(fresh, path)
  (names(path) - names(fresh) - [STAGED]).each { |name| remove(File.join(path, name)) }
  names(fresh).each do |name|
    new, old = File.join(fresh, name), File.join(path, name)
    remove(old) if real_directory?(old) || real_directory?(new)
    File.rename(new, old)
  end
end

# Give a directory owner, mode and times of another; never what a link leads to.
def like(saved, path)
  stat = File.stat(saved)
  File.open(path, File::RDONLY | File::NOFOLLOW) do |directory|
    directory.chown(stat.uid, stat.gid)
    directory.chmod(stat.mode & 07777)
  end
  File.respond_to?(:lutime) or return File.utime(stat.atime, stat.mtime, path)
  File.lutime(stat.atime, stat.mtime, path)
end

def put_back(saved, fresh, path)
  if in_place?(saved, path)
    swap_children(fresh, path)
    Dir.rmdir(fresh)
    like(saved, path)
  else
    remove(path) if real_directory?(path) || real_directory?(fresh)
    File.rename(fresh, path)
  end
end

def compare(wanted, found)
  differing = (wanted - found) + (found - wanted)
  abort("restored files differ from the backup: #{differing.first}") unless differing.empty?
end

# On Linux nothing is gone into or written through that somebody has just put there.
COPY = RUBY_PLATFORM =~ /linux/ ? %w[-a -T --remove-destination --] : %w[-a --]
backup, *paths = ARGV
# A name that no backup of this run has: what an earlier one left is put back as it was.
STAGED = ".reseal-restore-#{File.basename(backup)}"
# One script of a run at a time: an earlier one whose connection broke may go on.
lock = File.open(File.join(backup, 'lock'), 'w', 0600)
lock.flock(File::LOCK_EX)
wanted = File.read(File.join(backup, 'manifest')).split("\n")
saved = {}
paths.each { |path| saved[path] = File.join(backup, 'tree', path) }
kept, absent = paths.partition { |path| there?(saved[path]) }
fresh = {}
kept.each { |path| fresh[path] = stage(saved[path], path) }
compare(wanted, kept.map { |path| manifest(fresh[path], path) }.flatten)
system('sync')
kept.each { |path| put_back(saved[path], fresh[path], path) }
absent.each { |path| remove(path) }
system('sync')
found = paths.select { |path| there?(path) }.map { |path| manifest(path, path) }.flatten
compare(wanted, found)
puts JSON.generate('entries' => found.size)
