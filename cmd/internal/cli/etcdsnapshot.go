package cli

import (
	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/internal/view"
	"github.com/droverctl/drover/provision"
)

func (a *app) etcdSnapshot() *cobra.Command {
	var format view.Format
	var out string
	var lock lockFlags
	c := &cobra.Command{
		Use:   "snapshot",
		Short: "Take a snapshot of etcd, verify it, and keep it on a master",
		Long: `snapshot has a master whose etcd is part of a quorum take a snapshot of it, which is
verified there: by the digest that etcd sends with it, as a database, and by its
revision, which is not older than what etcd had confirmed before. It is kept on that
master in /var/lib/drover/etcd-snapshots, for root alone, with the four before it.
Whatever changes etcd's members takes one first.

With --out it is copied to a file here as well, which only you can read, and which is
there when all of it has come and is what was verified. It holds all that the cluster
holds; Secrets in it are encrypted with a key that is on the masters only: keep
/etc/kubernetes/encryption-config.yaml and /etc/kubernetes/pki of one as well.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("out") && out == "" {
				return usageError("--out is empty: give the name of a file")
			}
			cluster, err := a.load()
			if err != nil {
				return err
			}
			s, err := provision.TakeSnapshot(c.Context(), cluster, a.runOptions(nil), a.lockRequest(lock), out)
			if err != nil {
				return err
			}
			a.view.Away("could not be asked", s.Away)
			return a.view.Snapshot(s, format)
		},
	}
	c.Flags().StringVar(&out, "out", "", "copy it to a `file` here as well")
	outputFlag(c, &format)
	lock.add(c)
	return c
}
