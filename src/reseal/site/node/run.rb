# Wait for the end of an agent run that began after a mark was made.
#
# Arguments: last_run_summary.yaml, last_run_report.yaml, the mark, seconds to wait.
# Prints whether there was one, the version of its configuration, how many resources
# it had, how many failed, and whether it fell back on a cached catalog.
require 'json'
require 'yaml'

summary_path, report_path, mark, limit = ARGV
since = File.stat(mark).mtime
give_up = Time.now + limit.to_f

def newer?(path, since)
  File.size?(path) && File.stat(path).mtime > since
end

sleep 0.3 until newer?(summary_path, since) || Time.now > give_up
unless newer?(summary_path, since)
  puts JSON.generate('ended' => false)
  exit
end
sleep 0.5
text = File.read(summary_path)
# Older Ruby has no safe_load.
summary = (YAML.respond_to?(:safe_load) ? YAML.safe_load(text) : YAML.load(text)) || {}
resources = summary['resources'] || {}
version = (summary['version'] || {})['config']
cached = false
if newer?(report_path, since)
  cached = File.foreach(report_path).any? { |l| l =~ /^cached_catalog_status: '?on_failure/ }
end
puts JSON.generate('ended' => true, 'version' => version && version.to_s,
                   'total' => resources['total'].to_i,
                   'failed' => resources['failed'].to_i + resources['failed_to_restart'].to_i,
                   'cached' => cached)
