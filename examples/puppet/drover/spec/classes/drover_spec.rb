# frozen_string_literal: true

describe 'drover' do
  let(:node) { 'admin.example.net' }
  let(:params) { { 'cluster' => 'prod1' } }

  it 'runs drover, as programs with arguments, when the cluster is not as it is to be' do
    is_expected.to compile.with_all_deps
    is_expected.to contain_exec('drover apply').with(
      command: ['/usr/bin/drover', 'apply', '--non-interactive', '--deadline', '2400s', '--lock-wait', '60s', '-i', '/etc/drover'],
      unless: [['/usr/bin/drover', 'check', '--deadline', '60s', '-i', '/etc/drover']],
      environment: ['HOME=/root', 'LC_ALL=C.UTF-8'],
      timeout: 2520,
      logoutput: 'on_failure',
      tries: 1,
    )
    is_expected.not_to contain_exec('drover apply').with_provider('shell')
    is_expected.not_to contain_exec('drover apply').with_refreshonly(true)
  end

  it 'takes nothing out of the inventory' do
    is_expected.to contain_file('/etc/drover').with(ensure: 'directory', mode: '0750').without(['purge', 'recurse', 'force'])
  end

  it { is_expected.to have_package_resource_count(0) }
  it { is_expected.not_to contain_file('/usr/bin/drover') }

  context 'with fragments' do
    # There is no PuppetDB here: what others export is none, what this catalog exports is found.
    before do
      allow(Puppet).to receive(:[]).and_call_original
      allow(Puppet).to receive(:[]).with(:storeconfigs).and_return(true)
      allow(Puppet::Resource.indirection).to receive(:search).and_return([])
    end

    let(:pre_condition) do
      <<~PUPPET
        @@file { '/etc/drover/host-n1.hcl': content => 'ours', tag => 'drover-prod1' }
        @@file { '/etc/drover/host-n2.hcl': content => 'theirs', tag => 'drover-prod2' }
      PUPPET
    end

    it {
      is_expected.to contain_file('/etc/drover/host-n1.hcl')
        .with(content: 'ours', owner: 'root', group: 'root')
        .that_comes_before('Exec[drover apply]')
    }
    it { is_expected.not_to contain_file('/etc/drover/host-n2.hcl') }
  end

  context 'with a package' do
    let(:params) { super().merge('package' => 'drover', 'package_ensure' => '1.2.3') }

    it { is_expected.to contain_package('drover').with_ensure('1.2.3').that_comes_before('Exec[drover apply]') }
  end

  context 'with a source' do
    let(:params) { super().merge('source' => 'puppet:///modules/site/drover', 'binary' => '/opt/drover/bin/drover') }

    it {
      is_expected.to contain_file('/opt/drover/bin/drover')
        .with(source: 'puppet:///modules/site/drover', mode: '0755', owner: 'root')
        .that_comes_before('Exec[drover apply]')
    }
  end

  context 'with all limits and places of one\'s own' do
    let(:params) do
      super().merge('inventory_directory' => '/srv/drover', 'home' => '/var/lib/ops', 'check_deadline' => 30,
                    'apply_deadline' => 600, 'lock_wait' => 10, 'runtimeout' => 900)
    end

    it {
      is_expected.to contain_exec('drover apply').with(
        command: ['/usr/bin/drover', 'apply', '--non-interactive', '--deadline', '600s', '--lock-wait', '10s', '-i', '/srv/drover'],
        unless: [['/usr/bin/drover', 'check', '--deadline', '30s', '-i', '/srv/drover']],
        environment: ['HOME=/var/lib/ops', 'LC_ALL=C.UTF-8'],
        timeout: 720,
      )
    }
  end

  {
    'no cluster' => [{ 'cluster' => :undef }, %r{parameter 'cluster' expects|expects a value for parameter 'cluster'}],
    'a package and a source' => [{ 'package' => 'drover', 'source' => '/srv/drover' }, %r{package and source}],
    'a timeout before the deadline' => [{ 'timeout' => 2400 }, %r{timeout \(2400 s\) must be longer than}],
    'a timeout before the check\'s deadline' => [{ 'check_deadline' => 2520 }, %r{timeout \(2520 s\) must be longer than}],
    'a timeout of none' => [{ 'timeout' => 0 }, %r{parameter 'timeout' expects}],
    'limits beyond runtimeout' => [{ 'apply_deadline' => 3480 }, %r{must be less than the agent's runtimeout \(3600 s\)}],
    'a lock wait as long as all' => [{ 'lock_wait' => 2400 }, %r{lock_wait \(2400 s\) must be shorter than}],
    'a binary that is no path' => [{ 'binary' => 'drover' }, %r{parameter 'binary'}],
    'a source that is none' => [{ 'source' => 'ftp://example.net/drover' }, %r{parameter 'source'}],
    'a cluster that is a query' => [{ 'cluster' => "prod1' or tag != '" }, %r{parameter 'cluster'}],
  }.each do |what, (more, error)|
    context "with #{what}" do
      let(:params) { super().merge(more) }

      it { is_expected.to compile.and_raise_error(error) }
    end
  end
end
