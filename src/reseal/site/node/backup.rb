# Copy directories and files into a backup, prove the copy, print a summary.
#
# Arguments: the backup's directory, then absolute paths.  What is copied keeps
# owner, mode and times.  The copy is restored into a scratch directory and
# compared, entry by entry, with what is in use; only then the manifest gets its
# name.  Needs Ruby 1.9.3 or newer and coreutils' cp.
require 'digest'
require 'fileutils'
require 'json'

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
    else "#{Digest::SHA256.file(path).hexdigest}"
    end
  format('%04o %d:%d %s', stat.mode & 07777, stat.uid, stat.gid, content)
end

def manifest(root, shown)
  entries(root).map do |path, name|
    "#{describe(path)} #{name == '.' ? shown : File.join(shown, name)}"
  end
end

def copy(from, to)
  FileUtils.mkdir_p(File.dirname(to))
  system('cp', '-a', '--', from, to) or abort("cannot copy #{from}")
end

File.umask(077)
backup, *paths = ARGV
# One script of a run at a time: an earlier one whose connection broke may go on.
lock = File.open(File.join(backup, 'lock'), 'w', 0600)
lock.flock(File::LOCK_EX)
tree = File.join(backup, 'tree')
scratch = File.join(backup, 'scratch')
FileUtils.rm_rf([tree, scratch])
lines = []
paths.each do |path|
  next unless File.exist?(path) || File.symlink?(path)
  copy(path, File.join(tree, path))
  copy(File.join(tree, path), File.join(scratch, path))
  live = manifest(path, path)
  restored = manifest(File.join(scratch, path), path)
  differing = (live - restored) + (restored - live)
  unless differing.empty?
    abort("the backup differs from #{path}: #{differing.first}")
  end
  lines.concat(live)
end
FileUtils.rm_rf(scratch)
text = lines.map { |line| "#{line}\n" }.join
File.open(File.join(backup, 'manifest.new'), 'w') { |f| f.write(text); f.fsync }
system('sync')
File.rename(File.join(backup, 'manifest.new'), File.join(backup, 'manifest'))
puts JSON.generate('entries' => lines.size, 'manifest' => Digest::SHA256.hexdigest(text))
