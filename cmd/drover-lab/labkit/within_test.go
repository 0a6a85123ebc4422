package labkit

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// Whatever is done within a namespace, no thread of the process stays there.
func TestWithinLeavesNobodyBehind(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	const name = "labkit-within"
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	here, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 500 {
		wg.Go(func() {
			err := Within(name, func() error {
				if there, err := os.Readlink("/proc/thread-self/ns/net"); err != nil || there == here {
					return errors.Join(err, errors.New("it is not there"))
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	Await(t, 10*time.Second, "all threads to be here", func() error {
		threads, err := os.ReadDir("/proc/self/task")
		for _, thread := range threads {
			if at, gone := os.Readlink("/proc/self/task/" + thread.Name() + "/ns/net"); gone == nil && at != here {
				err = errors.Join(err, errors.New(thread.Name()+" stays"))
			}
		}
		return err
	})
}
