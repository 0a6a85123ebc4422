package labtest

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"testing"
)

// peer is the far end of transfers, on this machine's address in the lab: it
// sends as many bytes as the path says, and takes what is put.
func (l lab) peer(t *testing.T) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", l.status(t).Admin+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			io.Copy(io.Discard, r.Body)
			return
		}
		n, _ := strconv.Atoi(r.URL.Path[1:])
		w.Header().Set("Content-Length", strconv.Itoa(n))
		w.Write(make([]byte, n))
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return "http://" + listener.Addr().String()
}

// transfers are what a machine receives and sends, in Mbit/s, as it sees it.
func (l lab) transfers(t *testing.T, host, url string, size int) (received, sent float64) {
	t.Helper()
	out := l.SSH(t, host, fmt.Sprintf(`
		curl -sSf -o /dev/null -w '%%{speed_download} ' %[1]s/%[2]d
		head -c %[2]d /dev/zero > /tmp/zeros
		curl -sSf -o /dev/null -w '%%{speed_upload}\n' -T /tmp/zeros %[1]s/`, url, size))
	if _, err := fmt.Sscan(out, &received, &sent); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	return received * 8 / 1e6, sent * 8 / 1e6
}

// shaped fails unless both directions are within 15 % of the rate. A transfer that
// is slower was held up by this machine, maybe: it gets another chance. One that is
// faster was not limited.
func (l lab) shaped(t *testing.T, host, url string, rate float64) {
	t.Helper()
	for try := 1; ; try++ {
		received, sent := l.transfers(t, host, url, int(rate*1e6/8*2)) // two seconds' worth
		t.Logf("%s at %.0f Mbit/s: received %.1f, sent %.1f", host, rate, received, sent)
		if slow := min(received, sent) < 0.85*rate; slow && try < 3 && max(received, sent) <= 1.15*rate {
			continue
		}
		for direction, got := range map[string]float64{"received": received, "sent": sent} {
			if math.Abs(got-rate) > 0.15*rate {
				t.Errorf("%s at %.1f Mbit/s, want within 15 %% of %.0f", direction, got, rate)
			}
		}
		return
	}
}

// A limit holds both ways, also after a power cycle, until it is lifted.
func TestShape(t *testing.T) {
	l := shared(t)
	const host = "kube-node-1"
	t.Cleanup(func() { l.Run(t, "shape", host, "--rate", "none") })
	url := l.peer(t)
	l.Must(t, "shape", host, "--rate", "50mbit")
	l.shaped(t, host, url, 50)
	l.Must(t, "power", "kill", host)
	l.Must(t, "power", "on", host)
	if got := l.status(t).machine(t, host).Rate; got != "50mbit" {
		t.Errorf("after a power cycle status has rate %q", got)
	}
	l.shaped(t, host, url, 50)
	l.Must(t, "shape", host, "--rate", "8mbit") // another replaces it
	l.shaped(t, host, url, 8)
	l.Must(t, "shape", host, "--rate", "none")
	if received, sent := l.transfers(t, host, url, 20_000_000); received < 150 || sent < 150 {
		t.Errorf("without a limit: received %.1f Mbit/s, sent %.1f", received, sent)
	}
	if got := l.status(t).machine(t, host).Rate; got != "none" {
		t.Errorf("lifted, but status has rate %q", got)
	}
	if r := l.Run(t, "shape", host, "--rate", "fast"); r.Code != 64 {
		t.Errorf("a rate that is none: %s", r)
	}
}
