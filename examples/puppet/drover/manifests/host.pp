# @summary A host of a cluster: tells the admin host of itself.
#
# Exports a fragment of drover's inventory, a `kube_master` or a `kube_node` block,
# which class `drover` collects on the cluster's admin host. It changes nothing on
# the host itself.
#
# Which cluster a host is of and what it is there come from extensions of its
# certificate alone, which were fixed when that was signed. Facts are what a host
# says of itself: here they say where it is and what its SSH key is, no more.
#
# @param cluster
#   The cluster's name: the certificate's pp_cluster.
# @param roles
#   What values of the certificate's pp_role mean.
# @param inventory_directory
#   Where the admin host has its inventory: the same there and here.
# @param node_name
#   The host's name in the inventory and in Kubernetes.
# @param address
#   Where drover and other hosts reach it.
# @param failure_domain
#   What it shares its fate with, such as a hypervisor or a rack.
# @param labels
#   Of its node in Kubernetes.
# @param taints
#   Of its node in Kubernetes, each as KEY=VALUE:EFFECT.
# @param host_keys
#   Which of its SSH keys is pinned: the first of these that it has.
class drover::host (
  Drover::Name                                 $cluster             = $trusted['extensions']['pp_cluster'],
  Hash[String, Enum['kube_master', 'kube_node']] $roles             = {
    'kube-master' => 'kube_master',
    'kube-node'   => 'kube_node',
    'kube_master' => 'kube_master',
    'kube_node'   => 'kube_node',
  },
  Drover::Path                                 $inventory_directory = '/etc/drover',
  Drover::Name                                 $node_name           = $trusted['hostname'],
  Drover::Address                              $address             = $facts['networking']['ip'],
  Optional[Drover::Labelvalue]                 $failure_domain      = $trusted['extensions']['pp_zone'],
  Hash[Drover::Labelkey, Drover::Labelvalue]   $labels              = {},
  Array[Drover::Taint]                         $taints              = [],
  Array[Enum['ed25519', 'ecdsa', 'rsa'], 1]    $host_keys           = ['ed25519', 'ecdsa', 'rsa'],
) {
  $certname = assert_type(Drover::Certname, $trusted['certname'])
  $pp_role = $trusted['extensions']['pp_role']
  unless $pp_role in $roles {
    $known = $roles.keys.sort.join(', ')
    fail("drover::host: the certificate of ${certname} has the role (pp_role) '${pp_role}'; drover::host::roles knows ${known}")
  }

  $ssh = $facts['ssh'] ? {
    undef   => {},
    default => $facts['ssh'],
  }
  $kind = $host_keys.filter |$k| { $k in $ssh }[0]
  if $kind {
    $key = assert_type(Drover::Hostkey, $ssh[$kind])
    $host_key = "${key['type']} ${key['key']}"
  } else {
    $host_key = undef # drover looks in its known_hosts then
  }

  @@file { "${inventory_directory}/host-${certname}.hcl":
    ensure  => file,
    mode    => '0640',
    content => epp('drover/host.hcl.epp', {
        'role'           => $roles[$pp_role],
        'node_name'      => $node_name,
        'certname'       => $certname,
        'address'        => $address,
        'failure_domain' => $failure_domain,
        'labels'         => $labels,
        'taints'         => $taints,
        'host_key'       => $host_key,
    }),
    tag     => "drover-${cluster}",
  }
}
