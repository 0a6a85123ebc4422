package manifests

// HostFiles are the kernel settings of every host. Sysctls need
// `sysctl -p FILE`, modules `modprobe`, or a reboot.
func HostFiles() ([]File, error) {
	return collect(
		func() (File, error) { return fixed("sysctl.conf", SysctlPath, Reload) },
		func() (File, error) { return fixed("modules.conf", ModulesPath, Reload) },
	)
}
