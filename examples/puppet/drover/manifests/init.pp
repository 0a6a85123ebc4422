# @summary The admin host of a cluster: collects its inventory and runs drover.
#
# Puts what the cluster's hosts export (class `drover::host`) beside what people
# wrote into the inventory's directory, and has `drover apply` run when `drover check`
# says that the cluster is not as the inventory says. Nothing is ever purged from the
# directory: a host leaves the cluster by `drover node remove`, never because it is missing.
#
# @param cluster
#   The cluster's name, by which the fragments are found.
# @param inventory_directory
#   Where the inventory is: the same in drover::host.
# @param binary
#   Where drover is, or is to be.
# @param package
#   A package that has drover, if Puppet is to install one.
# @param package_ensure
#   Which version of it.
# @param source
#   Where Puppet fetches the binary from, if it is to be put there as a file.
# @param home
#   The home directory drover is told of: ssh's keys and settings, and drover's logs, are there.
# @param check_deadline
#   Seconds that `drover check` may take.
# @param apply_deadline
#   Seconds that `drover apply` may take, waiting included.
# @param lock_wait
#   Seconds that `drover apply` waits for another run.
# @param timeout
#   Seconds after which Puppet ends drover, had it not ended by itself.
# @param runtimeout
#   The agent's setting of that name. A drover that Puppet leaves for that is not even told.
class drover (
  Drover::Name           $cluster,
  Drover::Path           $inventory_directory = '/etc/drover',
  Drover::Path           $binary              = '/usr/bin/drover',
  Optional[String[1]]    $package             = undef,
  String[1]              $package_ensure      = 'installed',
  Optional[Drover::Source] $source            = undef,
  Drover::Path           $home                = '/root',
  Integer[1]             $check_deadline      = 60,
  Integer[1]             $apply_deadline      = 2400,
  Integer[0]             $lock_wait           = 60,
  Integer[1]             $timeout             = $apply_deadline + 120,
  Integer[1]             $runtimeout          = 3600,
) {
  if $package and $source {
    fail('drover: package and source both say where the binary comes from: give one of them')
  }
  # Each limit has to end before the one around it: drover ends by itself and says
  # how far it came, Puppet's timeout tells it to end, and runtimeout only forgets it.
  unless max($check_deadline, $apply_deadline) < $timeout {
    fail("drover: timeout (${timeout} s) must be longer than check_deadline (${check_deadline} s), apply_deadline (${apply_deadline} s)")
  }
  unless $lock_wait < $apply_deadline {
    fail("drover: lock_wait (${lock_wait} s) must be shorter than apply_deadline (${apply_deadline} s)")
  }
  unless $check_deadline + $timeout < $runtimeout {
    fail("drover: check_deadline (${check_deadline} s) + timeout (${timeout} s) must be less than the agent's runtimeout (${runtimeout} s)")
  }

  if $package {
    package { $package:
      ensure => $package_ensure,
      before => Exec['drover apply'],
    }
  }
  if $source {
    file { $binary:
      ensure => file,
      owner  => 'root',
      group  => 'root',
      mode   => '0755',
      source => $source,
      before => Exec['drover apply'],
    }
  }

  file { $inventory_directory:
    ensure => directory,
    owner  => 'root',
    group  => 'root',
    mode   => '0750',
  }
  File <<| tag == "drover-${cluster}" |>> {
    owner  => 'root',
    group  => 'root',
    before => Exec['drover apply'],
  }

  $inventory = ['-i', $inventory_directory]
  exec { 'drover apply':
    command     => [
      $binary, 'apply', '--non-interactive', '--deadline', "${apply_deadline}s", '--lock-wait', "${lock_wait}s",
    ] + $inventory,
    # Any other answer than 0 has apply look for itself; one that cannot look says so and
    # fails, and Puppet's report has why.
    unless      => [[$binary, 'check', '--deadline', "${check_deadline}s"] + $inventory],
    environment => ["HOME=${home}", 'LC_ALL=C.UTF-8'],
    timeout     => $timeout,
    logoutput   => on_failure,
    tries       => 1,
    require     => File[$inventory_directory],
  }
}
