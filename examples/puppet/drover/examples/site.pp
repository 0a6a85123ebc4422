# What a site's manifest says of the cluster's machines. The certificates' extensions
# say which is which; nothing here names a machine.
case $trusted['extensions']['pp_role'] {
  'drover': {
    class { 'drover':
      cluster => $trusted['extensions']['pp_cluster'],
      package => 'drover',
    }
  }
  'kube_master', 'kube_node': {
    include drover::host
  }
  default: {}
}
