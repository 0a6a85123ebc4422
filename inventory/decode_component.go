package inventory

// component reads the blocks of what the hosts run.
func (b *block) component(c *Cluster) {
	switch b.spec.kind {
	case etcdSpec.kind:
		c.Etcd.Where = b.where
		b.version("version", &c.Etcd.Version)
		b.args("extra_args", &c.Etcd.ExtraArgs)
	case containerdSpec.kind:
		c.Containerd.Where = b.where
		b.version("version", &c.Containerd.Version)
		b.flag("systemd_cgroup", &c.Containerd.SystemdCgroup)
		b.flag("restrict_oom_score_adj", &c.Containerd.RestrictOOMScoreAdj)
	case corednsSpec.kind:
		c.CoreDNS.Where = b.where
		b.version("version", &c.CoreDNS.Version)
		number(b, "replicas", &c.CoreDNS.Replicas, atLeastOne)
	case kubeletSpec.kind:
		b.kubelet(&c.Kubelet)
	case kubeProxySpec.kind:
		c.KubeProxy.Where = b.where
		b.settings("config", &c.KubeProxy.Config)
		b.args("extra_args", &c.KubeProxy.ExtraArgs)
	case "runc":
		b.versionOnly(&c.Runc)
	case "cni":
		b.versionOnly(&c.CNI)
	case "pause":
		b.versionOnly(&c.Pause)
	case "apiserver":
		b.program(&c.APIServer)
	case "controller_manager":
		b.program(&c.ControllerManager)
	case "scheduler":
		b.program(&c.Scheduler)
	}
}

func (b *block) versionOnly(c *Component) {
	c.Where = b.where
	b.version("version", &c.Version)
}

func (b *block) program(p *Program) {
	p.Where = b.where
	b.args("extra_args", &p.ExtraArgs)
}

func (b *block) kubelet(k *Kubelet) {
	k.Where = b.where
	number(b, "max_pods", &k.MaxPods, podCounts)
	b.settings("config", &k.Config)
	b.args("extra_args", &k.ExtraArgs)
	if _, twice := k.Config["maxPods"]; twice {
		b.modelled("config", "maxPods", "max_pods")
	}
	if _, twice := k.ExtraArgs["max-pods"]; twice {
		b.modelled("extra_args", "max-pods", "max_pods")
	}
}

func (b *block) artifacts(a *Artifacts) {
	a.Where = b.where
	b.url("mirror", &a.Mirror)
	b.registry("registry", &a.Registry)
	b.flag("registry_http", &a.RegistryHTTP)
	b.path("lock", &a.Lock)
	choice(b, "pull", &a.Pull, PullHosts, PullPush)
	b.flag("fan_out", &a.FanOut)
	number(b, "fan_out_port", &a.FanOutPort, userPorts)
}

func (b *block) calico(c *Calico) {
	c.Where = b.where
	b.version("version", &c.Version)
	number(b, "as_number", &c.ASNumber, asNumbers)
	number(b, "block_size", &c.BlockSize, blockSizes)
	number(b, "max_blocks_per_host", &c.MaxBlocksPerHost, atLeastOne)
	choice(b, "topology", &c.Topology, TopologyMesh, TopologyRouteReflectors)
	if list, ok := b.texts("route_reflectors"); ok {
		c.RouteReflectors = list
	}
}
