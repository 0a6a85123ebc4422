package cli

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverctl/drover/cmd/drover-lab/internal/components"
)

func (a *app) components() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "components",
		Short: "Build or list what a cluster installs from",
	})
	c.AddCommand(a.componentsBuild(), a.componentsList())
	return c
}

func (a *app) componentsBuild() *cobra.Command {
	var download bool
	var mirror, registry string
	c := &cobra.Command{
		Use:   "build [SET…]",
		Short: "Build components from their pinned sources into the cache",
		Long: `build compiles Kubernetes, etcd, containerd, runc, the CNI plugins, CoreDNS and
Calico from pinned tool modules, and assembles the images, into the cache. What
the cache has already is not built again.`,
		RunE: func(c *cobra.Command, given []string) error {
			labs := a.labs()
			o := components.Options{Only: given, Progress: labs.Told}
			if download {
				o.Download = &components.Download{Mirror: mirror, Registry: registry}
			} else if mirror != "" || registry != "" {
				return usageError{fmt.Errorf("--mirror and --registry go with --download")}
			}
			if err := labs.InstallTools(c.Context()); err != nil {
				return err
			}
			start := time.Now()
			set, err := components.Build(c.Context(), components.Cache{Dir: a.cacheDir}, o)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.streams.Err, "%d artifacts and %d images ready in %s\n",
				len(set.Artifacts), len(set.Images), time.Since(start).Round(10*time.Millisecond))
			return nil
		},
	}
	c.Flags().BoolVar(&download, "download", false, "fetch upstream's release files and check their digests instead of compiling")
	c.Flags().StringVar(&mirror, "mirror", "", "with --download: URL of a mirror that holds them under HOST/PATH")
	c.Flags().StringVar(&registry, "registry", "", "with --download: HOST[:PORT] of a registry that stands for all others")
	return c
}

func (a *app) componentsList() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "list",
		Short: "List components, their versions, and whether the cache has them",
		Args:  args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			sets, err := components.List(c.Context(), components.Cache{Dir: a.cacheDir})
			if err != nil {
				return err
			}
			switch output {
			case "json":
				e := json.NewEncoder(a.streams.Out)
				e.SetIndent("", "  ")
				return e.Encode(struct {
					SchemaVersion int                 `json:"schema_version"`
					Sets          []components.Status `json:"sets"`
				}{1, sets})
			case "table":
			default:
				return usageError{fmt.Errorf("-o %s: want table or json", output)}
			}
			w := tabwriter.NewWriter(a.streams.Out, 0, 0, 3, ' ', 0)
			fmt.Fprintln(w, "SET\tVERSION\tSTATE\tARTIFACTS\tIMAGES\tBUILT IN")
			for _, s := range sets {
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", s.Set, s.Version, s.State, len(s.Artifacts), len(s.Images), s.Took.Round(time.Second))
			}
			return w.Flush()
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return c
}
