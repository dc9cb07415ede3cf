# Copy directories and files into a backup, prove the copy, print a summary.
#
# Arguments: the backup's directory, then absolute paths.  What is copied keeps
# owner, mode and times.  The copy is restored into a scratch directory and
# compared, entry by entry, with what is in use; only then the manifest gets its
# name.  A path that changes meanwhile is copied again, three times at most.  What
# could not be replaced later, as a mount point inside a directory, is refused
# here.  Needs Ruby 1.9.3 or newer and coreutils' cp.
require 'digest'
require 'fileutils'
require 'json'

ATTEMPTS = 3
# On Linux nothing is gone into or written through that somebody has just put there.
COPY = RUBY_PLATFORM =~ /linux/ ? %w[-a -T --remove-destination --] : %w[-a --]
MOUNTS = '/proc/self/mountinfo'

def entries(root)
  list = [[root, '.']]
  found = []
  until list.empty?
    path, name = list.pop
    found << [path, name]
    stat = File.lstat(path)
    next if stat.symlink? || !stat.directory?
    (Dir.entries(path) - ['.', '..']).each do |child|
      list << [File.join(path, child), name == '.' ? child : File.join(name, child)]
    end
  end
  found.sort_by { |_, name| name }
end

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

def manifest(root, shown)
  entries(root).map do |path, name|
    line = "#{describe(path)} #{name == '.' ? shown : File.join(shown, name)}"
    abort("#{path.inspect} has a line feed in its name; rename it") if line.include?("\n")
    line
  end
end

def copy(from, to)
  FileUtils.remove_entry(to) if File.exist?(to) || File.symlink?(to)
  FileUtils.mkdir_p(File.dirname(to))
  system('cp', *COPY, from, to)
end

# Return the manifest of a path when its copy can be put back, else what differs.
def back_up(path, kept, scratch)
  return nil, 'it cannot be copied' unless copy(path, kept)
  return nil, 'the copy cannot be put back' unless copy(kept, scratch)
  restored = manifest(scratch, path)
  live = manifest(path, path)
  differing = (live - restored) + (restored - live)
  differing.empty? ? [live, nil] : [nil, differing.first]
rescue Errno::ENOENT => error
  [nil, error.message]
end

def mounts
  return [] unless File.readable?(MOUNTS)
  File.binread(MOUNTS).split("\n").map do |line|
    line.split(' ')[4].gsub(/\\(\d{3})/) { $1.oct.chr }
  end
end

# Abort when a path is of a kind that could not be replaced and put back.
def check(path)
  if File.symlink?(path) && File.directory?(path)
    abort("#{path} is a link to a directory; name the directory itself")
  end
  return unless File.directory?(path)
  device = File.stat(path).dev
  inside = "#{File.realpath(path)}/".force_encoding('BINARY')
  found = mounts.find { |mount| mount.start_with?(inside) }
  found ||= entries(path).map { |child, _| child }.find do |child|
    stat = File.lstat(child)
    stat.directory? && stat.dev != device
  end
  abort("#{found} is a mount point inside #{path}; unmount it first") if found
end

File.umask(077)
backup, *paths = ARGV
# One script of a run at a time: an earlier one whose connection broke may go on.
lock = File.open(File.join(backup, 'lock'), 'w', 0600)
lock.flock(File::LOCK_EX)
if %w[clearing setting-aside].any? { |mark| File.exist?(File.join(backup, mark)) }
  abort("#{backup} is in use: what it was made of is being replaced")
end
paths = paths.select { |path| File.exist?(path) || File.symlink?(path) }
paths.each { |path| check(path) }
tree = File.join(backup, 'tree')
scratch = File.join(backup, 'scratch')
# The manifest vouches for the tree, so it goes first.
FileUtils.rm_f(File.join(backup, 'manifest'))
system('sync')
FileUtils.rm_rf([tree, scratch])
lines = []
paths.each do |path|
  live = fault = nil
  ATTEMPTS.times do |attempt|
    sleep 1 if attempt > 0
    live, fault = back_up(path, File.join(tree, path), File.join(scratch, path))
    break if live
  end
  abort("the backup differs from #{path}: #{fault}") if live.nil?
  lines.concat(live)
end
FileUtils.rm_rf(scratch)
text = lines.map { |line| "#{line}\n" }.join
File.open(File.join(backup, 'manifest.new'), 'w') { |f| f.write(text); f.fsync }
system('sync')
File.rename(File.join(backup, 'manifest.new'), File.join(backup, 'manifest'))
puts JSON.generate('entries' => lines.size, 'manifest' => Digest::SHA256.hexdigest(text))
