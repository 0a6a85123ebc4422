# Tells this machine's PuppetDB of COUNT hosts that there are not, PREFIX-1 and so on, of
# a CLUSTER: their facts, that the last but one fails, and that the last is no more.
require 'base64'
require 'json'
require 'net/http'
require 'time'

count, prefix, cluster = Integer(ARGV[0]), ARGV[1], ARGV[2]
http = Net::HTTP.start('127.0.0.1', 8080)
command = lambda do |name, version, certname, payload|
  at = payload['producer_timestamp']
  query = URI.encode_www_form('command' => name, 'version' => version, 'certname' => certname, 'producer-timestamp' => at)
  r = http.post("/pdb/cmd/v1?#{query}", JSON.generate(payload), 'Content-Type' => 'application/json')
  abort "#{name} #{certname}: #{r.code} #{r.body}" unless r.code == '200'
end
now = Time.now.utc
(1..count).each do |n|
  certname = "#{prefix}-#{n}"
  role = n == 1 ? 'kube_master' : 'kube_node'
  blob = Base64.strict_encode64("\0\0\0\vssh-ed25519\0\0\0 ".b + certname.ljust(32, '.'))
  command.call('replace_facts', 5, certname, {
    'certname' => certname, 'environment' => 'production', 'producer' => 'puppet', 'producer_timestamp' => now.iso8601(3),
    'values' => {
      'networking' => { 'ip' => "10.80.#{n / 200}.#{n % 200 + 1}", 'hostname' => certname, 'fqdn' => certname },
      'ssh' => { 'ed25519' => { 'key' => blob, 'type' => 'ssh-ed25519', 'fingerprints' => {} } },
      'trusted' => { 'authenticated' => 'remote', 'certname' => certname, 'hostname' => certname,
                     'extensions' => { 'pp_role' => role, 'pp_cluster' => cluster, 'pp_zone' => "zone-#{n % 7}" } },
    },
  })
end
failed = "#{prefix}-#{count - 1}"
command.call('store_report', 8, failed, {
  'certname' => failed, 'puppet_version' => '7.23.0', 'report_format' => 12, 'configuration_version' => '1',
  'producer_timestamp' => now.iso8601(3), 'start_time' => now.iso8601(3), 'end_time' => now.iso8601(3), 'producer' => 'puppet',
  'resources' => [], 'noop' => false, 'noop_pending' => false, 'corrective_change' => false, 'logs' => [], 'metrics' => [],
  'transaction_uuid' => '7f6ae0ad-1f1c-4a5e-9e0d-000000000000', 'catalog_uuid' => nil, 'code_id' => nil, 'job_id' => nil,
  'cached_catalog_status' => 'not_used', 'status' => 'failed', 'environment' => 'production',
})
gone = "#{prefix}-#{count}"
command.call('deactivate_node', 3, gone, { 'certname' => gone, 'producer_timestamp' => (now + 1).iso8601(3) })
