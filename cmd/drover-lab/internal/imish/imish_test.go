package imish

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeFRR holds one running configuration and notes what it is asked to do.
type fakeFRR struct {
	running        string
	answers        map[string]string
	applied        []string
	stdout, stderr string // of Apply
	saved          int
	down           bool
}

var errDown = errors.New("failed to connect to any daemons")

func (f *fakeFRR) Show(_ context.Context, command string) (string, error) {
	if f.down {
		return "", errDown
	}
	if command == "show running-config" {
		return f.running, nil
	}
	answer, ok := f.answers[command]
	if !ok {
		return "", errors.New("unexpected " + command)
	}
	return answer, nil
}

func (f *fakeFRR) Apply(_ context.Context, script string) (string, string, error) {
	f.applied = append(f.applied, script)
	return f.stdout, f.stderr, nil
}

func (f *fakeFRR) Save(context.Context) error {
	f.saved++
	return nil
}

// call runs imish on the fake.
func call(t *testing.T, f *fakeFRR, stdin string, terminal bool, args ...string) (int, string, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	s := Shell{FRR: f, Hostname: "bigip-1", Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Terminal: terminal}
	return s.Run(t.Context(), args), stdout.String(), stderr.String()
}

const runningBGP = "router bgp 64512\n timers bgp 3 10\n neighbor g peer-group\n neighbor g password s3cret\nexit\n!\n"

func TestBatch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "zebos")
	if err := os.WriteFile(file, []byte("router bgp 64512\n neighbor 10.0.0.1 peer-group g\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const addNeighbor = "router bgp 64512\nneighbor 10.0.0.1 peer-group g\nexit\n"
	for name, c := range map[string]struct {
		stdin   string
		args    []string
		applied []string
		saved   int
		status  int
		stdout  string
		stderr  string
	}{
		"a script": {
			stdin:   "enable\nconf t\nrouter bgp 64512\nneighbor 10.0.0.1 peer-group g\nend\nwr\n",
			applied: []string{addNeighbor}, saved: 1, stdout: "Building configuration...\n[OK]\n",
		},
		"write inside the block": {
			stdin:   "en\nconfig terminal\nrouter bgp 64512\nneighbor 10.0.0.1 peer-group g\nwrite\nend\n",
			applied: []string{addNeighbor}, saved: 1, stdout: "Building configuration...\n[OK]\n",
		},
		"-e in a row":            {args: []string{"-r", "0", "-e", "conf t", "-e", "router bgp 64512", "-e", "neighbor 10.0.0.1 peer-group g"}, applied: []string{addNeighbor}},
		"-f is configuration":    {args: []string{"-f", file}, applied: []string{addNeighbor}},
		"-f, then -e":            {args: []string{"-f", file, "-e", "write"}, applied: []string{addNeighbor}, saved: 1, stdout: "Building configuration...\n[OK]\n"},
		"leaving level by level": {stdin: "en\nconf t\nrouter bgp 64512\nexit\nip route 10.0.0.0/8 10.0.0.1\nexit\nwr\nexit\nnonsense\n", applied: []string{"router bgp 64512\nexit\nip route 10.0.0.0/8 10.0.0.1\n"}, saved: 1, stdout: "Building configuration...\n[OK]\n"},
		"an unknown line anywhere": {
			stdin:  "enable\nshow version\nconf t\nrouter bgp 64512\nneighbor 10.0.0.1 peer-group g\nneighbor 10.0.0.1 passwort hunter2\nend\nwr\nfrob\n",
			status: 1, stdout: strings.Repeat(" ", 18) + "^\n% Invalid input detected at '^' marker.\n^\n% Invalid input detected at '^' marker.\n",
			stderr: "imish: line 6: \"neighbor 10.0.0.1 passwort ***\": unknown ZebOS line\nimish: line 9: \"frob\": unknown ZebOS line\n",
		},
		"configuring needs enable": {
			stdin: "conf t\n", status: 1, stdout: "^\n% Invalid input detected at '^' marker.\n", stderr: "imish: line 1: \"conf t\": unknown ZebOS line\n",
		},
		"the running process counts": {
			stdin: "en\nconf t\nrouter bgp 1\n", status: 1, stdout: "% BGP is already running; AS is 64512\n", stderr: "imish: line 3: \"router bgp 1\": BGP is already running; AS is 64512\n",
		},
		"another route domain": {args: []string{"-r", "5"}, status: 1, stdout: "Dynamic routing is not enabled for route domain 5.\n"},
		"a missing file":       {args: []string{"-f", "/nonexistent"}, status: 1, stderr: "imish: open /nonexistent: no such file or directory\n"},
		"an argument":          {args: []string{"x"}, status: 64, stderr: "imish: unexpected argument \"x\"\n"},
		"show": {
			args:   []string{"-e", "show running-config router bgp"},
			stdout: "!\nrouter bgp 64512\n timers bgp 3 10\n neighbor g peer-group\n neighbor g password s3cret\n!\n",
		},
		"filters": {
			args:   []string{"-e", "sh run | i neighbor", "-e", "show run | exclude !|l|n|o|3", "-e", "show run | begin end"},
			stdout: " neighbor g peer-group\n neighbor g password s3cret\nend\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeFRR{running: runningBGP}
			status, stdout, stderr := call(t, f, c.stdin, false, c.args...)
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			for _, d := range []string{cmp.Diff(c.stdout, stdout), cmp.Diff(c.stderr, stderr), cmp.Diff(c.applied, f.applied), cmp.Diff(c.saved, f.saved)} {
				if d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			}
		})
	}
}

func TestFRRDown(t *testing.T) {
	f := &fakeFRR{down: true}
	if status, _, stderr := call(t, f, "", false, "-e", "show running-config"); status != 1 || stderr != "imish: failed to connect to any daemons\n" {
		t.Errorf("status %d: %s", status, stderr)
	}
	if status, _, stderr := call(t, f, "en\nconf t\nrouter bgp 1\n", false); status != 1 || stderr != "imish: line 3: failed to connect to any daemons\n" {
		t.Errorf("status %d: %s", status, stderr)
	}
}

func TestFRRRefuses(t *testing.T) {
	f := &fakeFRR{running: runningBGP, stdout: "% No, not hunter2\n", stderr: "line 2: Failure to communicate[13] to bgpd, line: neighbor g password hunter2\n"}
	status, stdout, stderr := call(t, f, "en\nconf t\nrouter bgp 64512\nneighbor g password hunter2\n", false)
	if status != 1 || stdout != "% No, not ***\n" || stderr != "imish: line 4: \"neighbor g password ***\": refused: No, not ***\n" {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}

func TestForeignLines(t *testing.T) {
	f := &fakeFRR{running: "router ospf\nexit\n" + runningBGP}
	status, stdout, stderr := call(t, f, "", false, "-e", "show running-config")
	if status != 0 || !strings.Contains(stdout, "router bgp 64512") || stderr != "imish: FRR holds a line ZebOS has no form for: \"router ospf\"\n" {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}

// A person sees prompts, and a bad line ends nothing.
func TestTerminal(t *testing.T) {
	f := &fakeFRR{running: runningBGP}
	status, stdout, _ := call(t, f, "en\nconf t\nrouter bgp 64512\nfrob\nneighbor 10.0.0.1 peer-group g\nend\nexit\n", true)
	want := "bigip-1[0]>bigip-1[0]#bigip-1[0](config)#bigip-1[0](config-router)#" + strings.Repeat(" ", 26) + "^\n% Invalid input detected at '^' marker.\n" +
		"bigip-1[0](config-router)#bigip-1[0](config-router)#bigip-1[0]#"
	if diff := cmp.Diff(want, stdout); status != 0 || diff != "" {
		t.Errorf("status %d (-want +got):\n%s", status, diff)
	}
	if diff := cmp.Diff([]string{"router bgp 64512\nexit\n", "router bgp 64512\nneighbor 10.0.0.1 peer-group g\nexit\n"}, f.applied); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}

// Main is called with what os.Args and the process's streams are.
func TestMainArguments(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := Main([]string{"-r", "7"}, strings.NewReader(""), &stdout, &stderr); status != 1 || !strings.HasPrefix(stdout.String(), "Dynamic routing is not enabled") {
		t.Errorf("status %d\n%s%s", status, &stdout, &stderr)
	}
	if status := Main(nil, strings.NewReader("!\n"), &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Errorf("an empty script: status %d\n%s", status, &stderr)
	}
}
