package labtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/droverctl/drover/cmd/drover-lab/labkit"
)

func (l lab) bootID(t testing.TB, machine string) string {
	t.Helper()
	return l.SSH(t, machine, "cat /proc/sys/kernel/random/boot_id")
}

// leaveMark writes a file and a line of the journal, and returns what they say.
func (l lab) leaveMark(t *testing.T, machine string) string {
	t.Helper()
	mark := fmt.Sprintf("mark-%d", time.Now().UnixNano())
	l.SSH(t, machine, fmt.Sprintf("echo %[1]s | sudo tee /var/lib/mark /var/lib/etcd/mark >/dev/null; logger %[1]s; sudo journalctl --sync", mark))
	return mark
}

// survived fails unless a machine is up again with the disk it had.
func (l lab) survived(t *testing.T, machine, mark, oldBoot string) {
	t.Helper()
	if got := l.SSH(t, machine, "systemctl is-system-running; sudo cat /var/lib/mark /var/lib/etcd/mark"); got != "running\n"+mark+"\n"+mark {
		t.Errorf("%s came back, but: %q, want running and twice %s", machine, got, mark)
	}
	if l.bootID(t, machine) == oldBoot {
		t.Errorf("%s has the boot id it had: it was never off", machine)
	}
	if logs := l.Must(t, "logs", machine, "--no-pager", "-b", "-1"); !strings.Contains(logs, mark) {
		t.Errorf("the journal of %s's life before does not have %s", machine, mark)
	}
}

// orderly is what a machine's journal ends with when it shut down in order.
const orderly = "Reached target shutdown.target"

// A pulled plug and a switch: the machine comes back with its disk.
func TestPowerKillAndOn(t *testing.T) {
	l := shared(t)
	const host = "kube-master-2"
	t.Cleanup(func() { l.Run(t, "power", "on", host) })
	boot, mark := l.bootID(t, host), l.leaveMark(t, host)
	r := l.Run(t, "power", "kill", host)
	if r.Code != 0 || r.Took > 5*time.Second {
		t.Fatalf("pulling a plug takes a moment: %s", r)
	}
	if m := l.status(t).machine(t, host); m.State != "off" || m.Memory != 0 {
		t.Errorf("killed, and %+v", m)
	}
	logs := l.Must(t, "logs", host, "--no-pager", "-b")
	if !strings.Contains(logs, mark) || strings.Contains(logs, orderly) {
		t.Errorf("the journal of a killed machine should have %s, and no shutdown:\n%s", mark, tail(logs))
	}
	l.Must(t, "power", "kill", host) // of a machine that is off: done
	l.Must(t, "power", "on", host)
	l.survived(t, host, mark, boot)
	boot = l.bootID(t, host)
	l.Must(t, "power", "on", host) // of a machine that is on: done
	if l.bootID(t, host) != boot {
		t.Error("power on started a machine that was on anew")
	}
}

// Switched off, a machine shuts down in order.
func TestPowerOffIsOrderly(t *testing.T) {
	l := shared(t)
	const host = "kube-master-3"
	t.Cleanup(func() { l.Run(t, "power", "on", host) })
	boot, mark := l.bootID(t, host), l.leaveMark(t, host)
	l.Must(t, "power", "off", host)
	if m := l.status(t).machine(t, host); m.State != "off" {
		t.Errorf("switched off, and %+v", m)
	}
	if logs := l.Must(t, "logs", host, "--no-pager", "-b"); !strings.Contains(logs, orderly) {
		t.Errorf("its journal has no shutdown in order:\n%s", tail(logs))
	}
	if r := l.Run(t, "ssh", host, "true"); r.Code != 255 {
		t.Errorf("ssh to a machine that is off: %s", r)
	}
	l.Must(t, "power", "on", host)
	l.survived(t, host, mark, boot)
}

// What a machine does to itself works as on a real one.
func TestPowerFromInside(t *testing.T) {
	l := shared(t)
	const host = "kube-master-3"
	t.Cleanup(func() { l.Run(t, "power", "on", host) })
	boot, mark := l.bootID(t, host), l.leaveMark(t, host)
	l.Run(t, "ssh", host, "sudo systemctl reboot") // ends with the connection
	labkit.Await(t, time.Minute, "back from its reboot", func() error {
		now, err := l.Try(t.Context(), host, "systemctl is-system-running --wait >/dev/null; cat /proc/sys/kernel/random/boot_id")
		if err == nil && now == boot {
			err = fmt.Errorf("still boot %s", boot)
		}
		return err
	})
	l.survived(t, host, mark, boot)
	l.Run(t, "ssh", host, "sudo systemctl poweroff")
	labkit.Await(t, time.Minute, "off", func() error {
		if m := l.status(t).machine(t, host); m.State != "off" {
			return fmt.Errorf("it is %s", m.State)
		}
		return nil
	})
	l.Must(t, "power", "on", host)
	l.healthy(t)
}

func tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
