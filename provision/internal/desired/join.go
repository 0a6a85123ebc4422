package desired

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/droverctl/drover/inventory"
	"github.com/droverctl/drover/manifests"
	"github.com/droverctl/drover/provision/host"
	"github.com/droverctl/drover/provision/internal/facts"
	"github.com/droverctl/drover/provision/internal/kube"
	"github.com/droverctl/drover/provision/internal/membership"
	"github.com/droverctl/drover/provision/internal/pki"
	"github.com/droverctl/drover/provision/internal/resource"
	"github.com/droverctl/drover/provision/internal/wait"
	"github.com/droverctl/drover/provision/plan"
)

// etcdMemberDir exists once a member has been made; a start that was refused
// leaves other things behind, but not this.
const etcdMemberDir = manifests.EtcdDataDir + "/member/wal"

// etcdJoin tells a member that has no data yet how to begin: the one time that
// etcd is told to begin anything. A member that lost its data is never told.
func (b *builder) etcdJoin(h inventory.Host) resource.Step {
	var written string // digest of the file, once this run has written it
	return resource.Step{
		ID:   plan.NewID(h.Name, "etcd", "beginning"),
		Want: plan.State{"member": "can start"},
		See:  facts.Scope{Paths: []string{etcdMemberDir, manifests.EtcdJoinPath}},
		Look: func(_ context.Context, seen resource.Seen) (plan.State, error) {
			snap := seen.Hosts[h.Name]
			_, made := snap.Dirs[etcdMemberDir]
			if made || written != "" && snap.Files[manifests.EtcdJoinPath].SHA256 == written {
				return plan.State{"member": "can start"}, nil
			}
			return nil, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			join, err := b.beginning(ctx, w, h)
			if err != nil {
				return err
			}
			file, err := join.File()
			if err != nil {
				return err
			}
			out, err := w.Host(h.Name)
			if err != nil {
				return err
			}
			written = digest(file.Content)
			return out.WriteFile(ctx, file.Path, file.Content, host.FileMeta{Mode: file.Mode})
		},
	}
}

// beginning is what a member without data is told.
func (b *builder) beginning(ctx context.Context, w resource.World, h inventory.Host) (manifests.EtcdJoin, error) {
	if j := b.joiner(h.Name); j != nil {
		return b.joinOf(ctx, w, h, j)
	}
	if !b.NewCluster() {
		return manifests.EtcdJoin{}, fmt.Errorf("it has no data, and the cluster exists: a member that lost its data is replaced with `drover node replace %s`, after `drover reset %[1]s`; one that is new joins only while etcd can be asked", h.Name)
	}
	join := manifests.EtcdJoin{New: true, Token: b.etcdToken(), Members: map[string]netip.Addr{}}
	for _, m := range b.Cluster.KubeMasters {
		join.Members[m.Name] = m.Address
	}
	return join, nil
}

// etcdToken tells one cluster's members from another's.
func (b *builder) etcdToken() string { return b.Cluster.Name + "-" + b.Bundle.UID() }

// etcdJoined takes the beginning away once there is a quorum, and notes that this
// host belongs to a cluster: from then on nothing begins here again.
func (b *builder) etcdJoined(h inventory.Host, unit plan.ID) resource.Step {
	s := b.membership(h)
	s.Needs = []plan.ID{unit, b.quorumOfEtcd(h)}
	s.See.Paths = append(s.See.Paths, manifests.EtcdJoinPath)
	s.Want["beginning"] = "over"
	look, perform := s.Look, s.Perform
	s.Look = func(ctx context.Context, seen resource.Seen) (plan.State, error) {
		state, err := look(ctx, seen)
		if state == nil || err != nil {
			return state, err
		}
		state["beginning"] = "over"
		if _, left := seen.Hosts[h.Name].Files[manifests.EtcdJoinPath]; left {
			state["beginning"] = "not over"
		}
		return state, nil
	}
	s.Perform = func(ctx context.Context, w resource.World, c plan.Change) error {
		if err := perform(ctx, w, c); err != nil {
			return err
		}
		return remove(ctx, w, h.Name, manifests.EtcdJoinPath)
	}
	return s
}

// membership is the note of what the host belongs to. One that tells less than it
// should, of an older form, is completed; that nothing in it is to change was made
// sure of before.
func (b *builder) membership(h inventory.Host) resource.Step {
	note := func() membership.Note {
		return membership.New(b.Cluster, b.Bundle.Authority(pki.ClusterCA).Describe().KeyID, h.Name)
	}
	return resource.Step{
		ID:   membershipID(b.Cluster, h),
		Want: plan.State{"cluster": "this one", "settings": "noted"},
		See:  facts.Scope{Paths: []string{membership.Path}},
		Look: func(_ context.Context, seen resource.Seen) (plan.State, error) {
			text, ok := seen.Hosts[h.Name].Texts[membership.Path]
			if !ok {
				return nil, nil
			}
			have, want := membership.Parse(text), note()
			state := plan.State{"cluster": "this one", "settings": "noted"}
			if have.Cluster != want.Cluster || have.UID != want.UID {
				state["cluster"] = "another"
			}
			if !have.Tells(want) {
				state["settings"] = "not all noted"
			}
			return state, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			out, err := w.Host(h.Name)
			if err != nil {
				return err
			}
			return out.WriteFile(ctx, membership.Path, []byte(note().Text()), host.FileMeta{Mode: 0o644})
		},
	}
}

func membershipID(c *inventory.Cluster, h inventory.Host) plan.ID {
	return plan.NewID(h.Name, "membership", c.Name)
}

// The kubelet's own credentials: made by it, for it.
const (
	kubeletClientCert = manifests.KubeletPKIDir + "/kubelet-client-current.pem" // as identity.KubeletCert
	kubeletServerCert = manifests.KubeletPKIDir + "/kubelet-server-current.pem"
)

func joinedID(h inventory.Host) plan.ID { return plan.NewID(h.Name, "kubelet", "joined") }

// join gives a kubelet without credentials a token, good for this one join and
// for a quarter of an hour, and joined takes it away again.
func (b *builder) join(h inventory.Host, needs []plan.ID) (join, joined resource.Step, joining func() bool) {
	var token kube.Token
	var written string
	scope := facts.Scope{Paths: []string{kubeletClientCert, kubeletServerCert, manifests.KubeletBootstrapKubeconfig}}
	join = resource.Step{
		ID: plan.NewID(h.Name, "kubelet", "join"), Needs: needs, See: scope,
		Want: plan.State{"kubelet": "can join"},
		Look: func(_ context.Context, seen resource.Seen) (plan.State, error) {
			snap := seen.Hosts[h.Name]
			_, has := snap.Files[kubeletClientCert]
			// A token of an earlier run may have run out: only our own counts.
			if has || written != "" && snap.Files[manifests.KubeletBootstrapKubeconfig].SHA256 == written {
				return plan.State{"kubelet": "can join"}, nil
			}
			return nil, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			api, err := w.Cluster.API(ctx)
			if err != nil {
				return err
			}
			if token, err = api.CreateToken(ctx, h.Name); err != nil {
				return err
			}
			content, err := pki.Kubeconfig{
				Cluster: b.Cluster.Name, Server: "https://" + b.endpoint(), User: "kubelet-bootstrap",
				CAFile: caFile(pki.ClusterCA).Path, Token: token.Value(),
			}.File()
			if err != nil {
				return err
			}
			out, err := w.Host(h.Name)
			if err != nil {
				return err
			}
			written = digest(content)
			if err := out.WriteFile(ctx, manifests.KubeletBootstrapKubeconfig, content, host.FileMeta{Mode: 0o600}); err != nil {
				return err
			}
			return begin(ctx, w, h) // one that runs without a certificate reads this only when it starts
		},
	}
	joined = resource.Step{
		// After the unit, and not while it starts: it is started again here.
		ID: joinedID(h), Needs: []plan.ID{join.ID, resource.UnitID(h.Name, manifests.KubeletUnit)}, See: scope,
		Want: plan.State{"certificates": "its own", "token": "gone"},
		Look: func(_ context.Context, seen resource.Seen) (plan.State, error) {
			snap := seen.Hosts[h.Name]
			_, client := snap.Files[kubeletClientCert]
			_, server := snap.Files[kubeletServerCert]
			if !client || !server {
				return nil, nil
			}
			state := plan.State{"certificates": "its own", "token": "gone"}
			if _, left := snap.Files[manifests.KubeletBootstrapKubeconfig]; left {
				state["token"] = "still there"
			}
			return state, nil
		},
		Perform: func(ctx context.Context, w resource.World, _ plan.Change) error {
			if token.ID != "" {
				if err := b.admitClient(ctx, w, h, token.ID); err != nil {
					return err
				}
			}
			if err := remove(ctx, w, h.Name, manifests.KubeletBootstrapKubeconfig); err != nil {
				return err
			}
			if err := begin(ctx, w, h); err != nil {
				return err
			}
			if err := b.admitServing(ctx, w, h); err != nil {
				return err
			}
			api, err := w.Cluster.API(ctx)
			if err != nil || token.ID == "" {
				return err
			}
			return api.DeleteToken(ctx, token.ID)
		},
		Explain: b.kubeletOf(h),
	}
	return join, joined, func() bool { return token.ID != "" }
}

// begin starts a kubelet again, if it runs, that has just got its certificate. The
// one that asked for it has told of itself before it was let in, and tries again
// only after 10 s; until then its node has room for no pod, and it asks for no
// serving certificate, as it does not know its addresses yet. One that has lost a
// certificate's file asks for another only when it starts.
func begin(ctx context.Context, w resource.World, h inventory.Host) error {
	out, err := w.Host(h.Name)
	if err != nil {
		return err
	}
	_, err = out.Run(ctx, host.Cmd{Argv: []string{"systemctl", "try-restart", manifests.KubeletUnit}, Limit: joinLimit})
	return err
}

// joinLimit is how long a kubelet may take from its start to its certificates.
const joinLimit = 3 * time.Minute

// admitClient lets a kubelet in that holds a token: it approves what that asks
// for until it has its certificate.
func (b *builder) admitClient(ctx context.Context, w resource.World, h inventory.Host, token string) error {
	return b.admit(ctx, w, h, kubeletClientCert, "to get its certificate", func(ctx context.Context, api *kube.Client) (bool, error) {
		if err := api.WithdrawJoins(ctx, h.Name, token); err != nil {
			return false, err
		}
		approved, _, err := api.ApproveJoin(ctx, map[string]string{token: h.Name})
		return len(approved) > 0, err
	})
}

// admitServing approves the certificate a kubelet serves with.
func (b *builder) admitServing(ctx context.Context, w resource.World, h inventory.Host) error {
	known := map[string]kube.Addresses{h.Name: {IPs: []netip.Addr{h.Address}}}
	return b.admit(ctx, w, h, kubeletServerCert, "to get its serving certificate", func(ctx context.Context, api *kube.Client) (bool, error) {
		approved, _, err := api.ApproveServing(ctx, known)
		return len(approved) > 0, err
	})
}

// admit approves what a kubelet asks for until it has the certificate. The host is
// looked at when there is reason to, and else once a second: that is a command
// there, where looking for requests is one request.
func (b *builder) admit(ctx context.Context, w resource.World, h inventory.Host, cert, what string, approve func(context.Context, *kube.Client) (bool, error)) error {
	out, err := w.Host(h.Name)
	if err != nil {
		return err
	}
	var looked time.Time
	return wait.For(ctx, wait.Condition{
		What: "the kubelet on " + h.Name + " " + what, Limit: joinLimit, Every: 250 * time.Millisecond,
		Check: func(ctx context.Context) error {
			api, err := w.Cluster.API(ctx)
			if err != nil {
				return err
			}
			approved, err := approve(ctx, api)
			if err != nil {
				return err
			}
			if approved || time.Since(looked) >= time.Second {
				res, err := out.Probe(ctx, host.Cmd{Argv: []string{"sh", "-c", appears, "drover-appears", cert}})
				if err != nil || res.Exit == 0 {
					return err
				}
				looked = time.Now()
			}
			return errors.New("it has asked for nothing that could be approved, or its certificate is being signed")
		},
	}, w.Waiting)
}

// appears waits half a second for a file: signing takes less.
const appears = `: drover-appears
for i in 1 2 3 4 5; do
	[ -e "$1" ] && exit 0
	sleep 0.1
done
exit 1`

func remove(ctx context.Context, w resource.World, hostname, path string) error {
	out, err := w.Host(hostname)
	if err != nil {
		return err
	}
	_, err = out.Run(ctx, host.Cmd{Argv: []string{"rm", "-f", "--", path}})
	return err
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}
