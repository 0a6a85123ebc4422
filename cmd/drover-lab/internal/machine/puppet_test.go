package machine

import (
	"testing"
)

// Machines of a lab that has a Puppet server know it by the name that agents look for.
func TestPuppetServerIsKnown(t *testing.T) {
	dir, lab := testLab(t)
	if err := EnsureKey(dir, lab.Name); err != nil {
		t.Fatal(err)
	}
	lab, err := lab.WithPuppet()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"kube-node-1": "127.0.0.1 localhost\n10.90.0.21 kube-node-1\n10.90.0.252 mirror\n10.90.0.251 puppet\n",
		"puppet":      "127.0.0.1 localhost\n10.90.0.251 puppet\n10.90.0.252 mirror\n",
	} {
		m, _ := lab.Machine(name)
		files, err := identity(dir, lab, m)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if f.path == "/etc/hosts" && f.content != want {
				t.Errorf("%s knows\n%s, want\n%s", name, f.content, want)
			}
		}
	}
}
