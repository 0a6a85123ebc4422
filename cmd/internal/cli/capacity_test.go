package cli_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"

	"github.com/droverctl/drover/provision/fleettest"
)

// keepsTo says what a document has that a schema does not allow.
func keepsTo(t *testing.T, schema, document []byte) error {
	t.Helper()
	var s spec.Schema
	var doc any
	if err := json.Unmarshal(schema, &s); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	return validate.NewSchemaValidator(&s, nil, "", strfmt.Default).Validate(doc).AsError()
}

// What capacity writes keeps to the schema it prints: of an inventory alone, of hosts
// that are bare, and of a cluster with all that can be told of one.
func TestCapacityKeepsToItsSchema(t *testing.T) {
	drover := filepath.Join(build(t), "drover")
	f := fleettest.New(t, drover, fleettest.Config{Masters: 3, Nodes: 3})
	inventory := filepath.Join(f.Dir, "inventory.hcl")
	add := func(text string) {
		file, err := os.OpenFile(inventory, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, int) {
		c := f.Command(drover, args...)
		c.Stderr = nil
		out, err := c.Output()
		exit, failed := err.(*exec.ExitError)
		if err != nil && !failed {
			t.Fatal(err)
		}
		if failed {
			return string(out), exit.ExitCode()
		}
		return string(out), 0
	}
	schema, _ := run("capacity", "schema")
	check := func(wantExit int, words []string, args ...string) {
		t.Helper()
		out, exit := run(append([]string{"capacity", "-o", "json"}, args...)...)
		if exit != wantExit {
			t.Errorf("%v: exit code %d, not %d\n%s", args, exit, wantExit, out)
		}
		if err := keepsTo(t, []byte(schema), []byte(out)); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		for _, w := range words {
			if !strings.Contains(out, w) {
				t.Errorf("%v: no %s\n%s", args, w, out)
			}
		}
	}
	check(0, []string{`"tier": 0`, `"id": "pod-blocks"`}, "--tier", "0")
	check(0, []string{`"allocatable": {`, `"id": "master-cpu"`, `"hosts": 3`})
	check(4, nil, "--fail-on=warn")
	check(0, []string{`"supposed": [`, `"12 nodes like kube-node-1 added"`, `"name": "web"`, `"more": `, `"growth": {`, `"first": [`, `"never": true`, `"over": true`},
		"--add-nodes=12", "--like=kube-node-1", "--workload=web=3,1,1Gi")
	check(0, []string{`"id": "etcd-fsync"`, `"tier": 2`}, "--tier=2")
	add(`capacity {
  workload "web" {
    replicas = 4
    cpu      = "5"
    memory   = "1Gi"
  }
  waive "workload-fits" {
    reason  = "larger hosts are ordered"
    expires = "2999-12-31"
  }
  waive "node-swap" {
    reason  = "a"
    expires = "2020-12-31"
  }
}
`)
	check(3, []string{`"until": "2999-12-31"`, `"code": "capacity-waiver-expired"`, `"subject": "web"`, `"declared_pods": 4`})
	add("kube_node \"gone\" {\n  address = \"10.99.0.1\"\n  ssh { port = 1 }\n}\n")
	check(69, []string{`"gone": "`, `"id": "facts-missing"`})
	if err := keepsTo(t, []byte(schema), []byte(`{"schema_version": 1, "cluster": 7}`)); err == nil {
		t.Error("the schema lets anything through")
	}
}

// A cluster that runs is asked what its pods ask for, and its nodes what they have.
func TestCapacityAsksTheCluster(t *testing.T) {
	drover := filepath.Join(build(t), "drover")
	f := fleettest.New(t, drover, fleettest.Config{Masters: 1, Nodes: 2})
	if out, err := f.Command(drover, "apply", "--auto-approve").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	before := f.Connections()
	f.Forget()
	out, err := f.Command(drover, "capacity", "-o", "json").Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), `"running": {`) || !strings.Contains(string(out), `"running_fit": {`) {
		t.Errorf("nothing runs: %s", out)
	}
	schema, err := f.Command(drover, "capacity", "schema").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := keepsTo(t, schema, out); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for i, h := range f.Hosts {
		if n := f.Connections()[i] - before[i]; n != 1 {
			t.Errorf("%s was connected to %d times", h.Name, n)
		}
	}
}
