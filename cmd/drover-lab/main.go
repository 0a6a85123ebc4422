// Command drover-lab turns a drover inventory into real machines on one Linux
// box: systemd machines, BGP routers, the network between them, and a mirror of
// all that a cluster installs from.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/droverctl/drover/cmd/drover-lab/internal/cli"
	"github.com/droverctl/drover/cmd/drover-lab/internal/imish"
)

func main() {
	// On a lab's routers this binary is the BIG-IP's routing shell.
	if filepath.Base(os.Args[0]) == "imish" {
		os.Exit(imish.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
