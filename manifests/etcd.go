package manifests

import (
	"fmt"
	"maps"

	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Etcd is one member of etcd.
type Etcd struct {
	Service
	Name    string     // of the member: the host's
	Address netip.Addr // where clients and peers reach it
	// QuotaBytes bounds the database; 0 is 8 GiB, the most that etcd's
	// documentation suggests. etcd's own 2 GiB stop a cluster of this size for
	// a clean-up that nobody asked for.
	QuotaBytes int64
}

// Files is the member's unit. What differs only while a member joins stands in
// EtcdJoin's file: a unit that listed the members would change, and etcd be
// restarted, with each of them.
func (e Etcd) Files() ([]File, error) {
	quota := e.QuotaBytes
	if quota == 0 {
		quota = 8 << 30
	}
	client, peer := url(e.Address, EtcdClientPort), url(e.Address, EtcdPeerPort)
	return collect(func() (File, error) {
		return renderUnit(EtcdUnit, e.Service, args{
			"name":                        e.Name,
			"data-dir":                    EtcdDataDir,
			"listen-client-urls":          "https://127.0.0.1:2379," + client,
			"advertise-client-urls":       client,
			"listen-peer-urls":            peer,
			"initial-advertise-peer-urls": peer,
			"listen-metrics-urls":         fmt.Sprintf("http://127.0.0.1:%d", EtcdMetricsPort),
			"cert-file":                   cert("etcd/server"),
			"key-file":                    key("etcd/server"),
			"client-cert-auth":            "true", // CIS 2.2
			"trusted-ca-file":             cert("etcd/ca"),
			"peer-cert-file":              cert("etcd/peer"),
			"peer-key-file":               key("etcd/peer"),
			"peer-client-cert-auth":       "true", // CIS 2.5
			"peer-trusted-ca-file":        cert("etcd/ca"),
			"cipher-suites":               suites,
			"tls-min-version":             "TLS1.2",
			"quota-backend-bytes":         strconv.FormatInt(quota, 10),
			// As kubeadm has them: a corrupt member stops instead of serving,
			// and API servers learn of progress in quiet watches.
			"feature-gates":                  "InitialCorruptCheck=true",
			"watch-progress-notify-interval": "5s",
		}, 30)
	})
}

// EtcdJoin is how a member finds the others the first time it starts. Its file
// is written before that start and removed once the member is well: without it
// etcd's unit says "existing" and names no one, so that a member that lost its
// data refuses to start. Were it left in place, such a member would quietly
// begin a cluster of its own.
type EtcdJoin struct {
	New     bool                  // a new cluster begins with these members; else they exist and one joins
	Token   string                // the cluster's UID: members of different clusters never mix
	Members map[string]netip.Addr // by name: all of a new cluster, or those that exist and the joining one
}

// File is the environment that etcd's unit reads.
func (j EtcdJoin) File() (File, error) {
	if j.Token == "" || len(j.Members) == 0 {
		return File{}, fmt.Errorf("manifests: an etcd member joins neither without a token nor without members")
	}
	state := "existing"
	if j.New {
		state = "new"
	}
	var members []string
	for _, name := range slices.Sorted(maps.Keys(j.Members)) {
		members = append(members, name+"="+url(j.Members[name], EtcdPeerPort))
	}
	text := fmt.Sprintf("ETCD_INITIAL_CLUSTER=%s\nETCD_INITIAL_CLUSTER_STATE=%s\nETCD_INITIAL_CLUSTER_TOKEN=%s\n", strings.Join(members, ","), state, j.Token)
	return File{EtcdJoinPath, 0o644, []byte(text), Nothing}, nil
}

func url(a netip.Addr, port uint16) string {
	return "https://" + netip.AddrPortFrom(a, port).String()
}
