// Command drover turns machines that Puppet manages into a Kubernetes cluster
// that fits the network they are on.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"github.com/droverctl/drover/cmd/internal/cli"
)

func main() {
	// Whoever reads our output may go away, as Puppet does when its timeout
	// expires; that must not kill drover in the middle of a change.
	signal.Ignore(syscall.SIGPIPE)
	// What the Kubernetes client says beside its errors is not for operators.
	klog.SetLogger(logr.Discard())
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		cancel(cli.Signal{Signal: (<-signals).(syscall.Signal)})
		signal.Stop(signals) // a second signal ends the program at once
	}()
	os.Exit(cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
