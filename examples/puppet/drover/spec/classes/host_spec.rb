# frozen_string_literal: true

describe 'drover::host' do
  let(:node) { 'kube-node-1.example.net' }
  let(:extensions) { { 'pp_role' => 'kube-node', 'pp_cluster' => 'prod1', 'pp_zone' => 'esx-02' } }
  let(:trusted_facts) { extensions }
  let(:ssh) do
    {
      'rsa' => { 'type' => 'ssh-rsa', 'key' => 'AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7', 'fingerprints' => { 'sha1' => 'SSHFP 1 1 0' } },
      'ed25519' => {
        'type' => 'ssh-ed25519',
        'key' => 'AAAAC3NzaC1lZDI1NTE5AAAAIB0nm6o5fRtF2iC8XyOPgJHZcFz6Rq8LVeKXbtcJ0rQm',
        'fingerprints' => { 'sha1' => 'SSHFP 4 1 0', 'sha256' => 'SSHFP 4 2 0' },
        'name' => 'ed25519',
      },
    }
  end
  let(:facts) { { 'networking' => { 'ip' => '10.90.0.21' }, 'ssh' => ssh } }
  let(:path) { "/etc/drover/host-#{node}.hcl" }

  it 'exports a fragment, and changes nothing on the host' do
    is_expected.to compile.with_all_deps
    is_expected.to have_resource_count(0)
    expect(exported_resources).to contain_file(path).with(
      ensure: 'file', mode: '0640', tag: 'drover-prod1', content: fragment('kube-node-1.example.net'),
    )
  end

  context 'as a master, without a zone and without SSH keys' do
    let(:node) { 'kube-master-1' }
    let(:extensions) { { 'pp_role' => 'kube-master', 'pp_cluster' => 'prod1' } }
    let(:facts) { { 'networking' => { 'ip' => '10.90.0.11' } } }

    it { expect(exported_resources).to contain_file(path).with_content(fragment('kube-master-1')) }
  end

  context 'with all that a node can have' do
    let(:node) { 'kube-node-2.example.net' }
    let(:params) do
      {
        'address' => '10.90.0.22', 'failure_domain' => 'rack_7.B', 'host_keys' => ['rsa'],
        'labels' => { 'tier' => 'web', 'example.net/rack' => '7' }, 'taints' => ['dedicated=gpu:NoSchedule', 'slow:PreferNoSchedule']
      }
    end

    it { expect(exported_resources).to contain_file(path).with_content(fragment('kube-node-2.example.net')) }
  end

  context 'with names of one\'s own' do
    let(:extensions) { super().merge('pp_role' => 'k8s/worker') }
    let(:params) { { 'roles' => { 'k8s/worker' => 'kube_node' }, 'node_name' => 'web-1', 'inventory_directory' => '/srv/drover' } }

    it {
      expect(exported_resources).to contain_file('/srv/drover/host-kube-node-1.example.net.hcl').with_content(%r{^kube_node "web-1" \{$})
    }
  end

  # What a host says of itself has no say in what it is.
  context 'with facts that claim another role' do
    let(:facts) { super().merge('role' => 'kube-master', 'pp_role' => 'kube-master', 'extensions' => { 'pp_role' => 'kube-master' }) }

    it { expect(exported_resources).to contain_file(path).with_content(%r{^kube_node }) }
  end

  context 'with a role that means nothing' do
    let(:extensions) { super().merge('pp_role' => 'database') }

    it { is_expected.to compile.and_raise_error(%r{kube-node-1\.example\.net has the role \(pp_role\) 'database'; drover::host::roles knows kube-master, kube-node}) }
  end

  context 'without a role' do
    let(:extensions) { { 'pp_cluster' => 'prod1' } }

    it { is_expected.to compile.and_raise_error(%r{has the role \(pp_role\) ''}) }
  end

  context 'without a cluster' do
    let(:extensions) { { 'pp_role' => 'kube-node' } }

    it { is_expected.to compile.and_raise_error(%r{parameter 'cluster' expects}) }
  end

  # Whatever is odd is refused before it gets near a fragment.
  {
    'address' => ['10.90.0.21"', "10.90.0.21\n", '10.90.0.256', '10.90.0', '10.90.0.21.', 'fe80::1', '${x}'],
    'node_name' => ['n"1', "n1\n}", 'n1.example.net', 'N1', '', '${n}', 'a' * 64],
    'failure_domain' => ['esx"02', "esx\n02", '${file("/etc/shadow")}', '%{if true}', 'a b'],
    'labels' => [{ 'a"b' => 'c' }, { 'a' => "b\n" }, { 'a' => '${b}' }],
    'taints' => [['a"b:NoSchedule'], ['a=b'], ["a=b:NoSchedule\n"]],
    'inventory_directory' => ['drover', '/a//b', "/a\nb", '/'],
  }.each do |parameter, values|
    values.each do |value|
      context "with #{parameter} #{value.inspect}" do
        let(:params) { { parameter => value } }

        it { is_expected.to compile.and_raise_error(%r{parameter '#{parameter}'|index 0|entry|key of}) }
      end
    end
  end

  [
    { 'type' => "ssh-ed25519\n", 'key' => 'AAAA' },
    { 'type' => 'ssh-ed25519', 'key' => "AAAA\"\n}" },
    { 'type' => 'ssh-ed25519', 'key' => 'AAAA${x}' },
    { 'type' => 'none', 'key' => 'AAAA' },
    'a text',
  ].each do |key|
    context "with the SSH key #{key.inspect}" do
      let(:ssh) { { 'ed25519' => key } }

      it { is_expected.to compile.and_raise_error(%r{assert_type\(\)|Hostkey}) }
    end
  end
end
