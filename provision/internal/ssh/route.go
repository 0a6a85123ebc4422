package ssh

import (
	"errors"
	"fmt"
	"net"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// hop is one SSH server on the way, with everything that is needed to connect
// to it.
type hop struct {
	Target               // Name, User, Port and Address are settled
	keyNames    []string // what known_hosts may call it
	knownHosts  []string // files; the first is where a key would be added
	identities  []string // files, in the order to try
	explicit    bool     // identities were asked for, not ssh's default ones
	onlyThese   bool     // IdentitiesOnly
	agentSocket string   // "none": no agent
	via         *hop     // the jump host before this one
}

func (h *hop) addr() string { return net.JoinHostPort(h.Address, strconv.Itoa(h.Port)) }

// keyed tells one hop from another for sharing connections.
func (h *hop) keyed() string {
	id := h.User + "@" + h.addr() + " " + strings.Join(h.identities, ",")
	if h.via != nil {
		id += " via " + h.via.keyed()
	}
	return id
}

// route settles a target from the inventory, ssh_config and ssh's defaults.
func route(t Target, o Options) (*hop, error) {
	if t.Name == "" {
		t.Name = t.Address
	}
	if t.Address == "" {
		t.Address = t.Name
	}
	return settle(t, o, 0)
}

func settle(t Target, o Options, depth int) (*hop, error) {
	if depth > 8 {
		return nil, errors.New("ProxyJump: more than 8 jump hosts in a row, or a circle of them")
	}
	conf, alias, err := configFor(t, o)
	if err != nil {
		return nil, err
	}
	local, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("looking up the local user: %w", err)
	}
	h := &hop{Target: t}
	inventoryAddress := t.Address
	if name := conf.get("hostname"); name != "" {
		h.Address = strings.ReplaceAll(name, "%h", alias)
	}
	if h.User == "" {
		h.User = conf.get("user")
	}
	if h.User == "" {
		h.User = local.Username
	}
	if h.Port == 0 {
		if h.Port, err = strconv.Atoi(or(conf.get("port"), "22")); err != nil || h.Port < 1 || h.Port > 65535 {
			return nil, fmt.Errorf("ssh_config: Port %s for %s is not a port", conf.get("port"), alias)
		}
	}
	expand := expander(o.Home, map[byte]string{
		'h': h.Address, 'n': alias, 'r': h.User, 'u': local.Username, 'd': o.Home, 'p': strconv.Itoa(h.Port),
	})
	h.keyNames = keyNames(conf.get("hostkeyalias"), h.Port, t.Name, h.Address, inventoryAddress)
	h.settleFiles(conf, expand, o)
	if err := h.settleJump(conf, o, depth); err != nil {
		return nil, err
	}
	return h, nil
}

// configFor reads ssh_config for the alias an operator would type.
func configFor(t Target, o Options) (*configReader, string, error) {
	conf, err := readConfig(o, t.Name)
	if err != nil || conf.named || t.Address == t.Name {
		return conf, t.Name, err
	}
	conf, err = readConfig(o, t.Address)
	return conf, t.Address, err
}

func (h *hop) settleFiles(conf *configReader, expand func(string) string, o Options) {
	known := conf.values["userknownhostsfile"]
	if known == nil {
		known = []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}
	}
	global := conf.values["globalknownhostsfile"]
	if global == nil {
		global = []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}
	}
	for _, f := range append(known[:len(known):len(known)], global...) {
		if f != "none" && f != "/dev/null" {
			h.knownHosts = append(h.knownHosts, expand(f))
		}
	}
	if h.KnownHosts != "" {
		h.knownHosts = []string{expand(h.KnownHosts)}
	}

	h.onlyThese = strings.EqualFold(conf.get("identitiesonly"), "yes")
	for _, f := range conf.values["identityfile"] {
		if f != "none" {
			h.identities, h.explicit = append(h.identities, expand(f)), true
		}
	}
	switch {
	case h.IdentityFile != "":
		h.IdentityFile = expand(h.IdentityFile)
		h.identities, h.explicit = append([]string{h.IdentityFile}, h.identities...), true
	case conf.values["identityfile"] == nil:
		for _, f := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			h.identities = append(h.identities, filepath.Join(o.Home, ".ssh", f))
		}
	}
	h.agentSocket = o.AgentSocket
	switch a := conf.get("identityagent"); {
	case a == "" || a == "SSH_AUTH_SOCK" || o.AgentSocket == "none":
	case strings.HasPrefix(a, "$"):
		h.agentSocket = expandEnv(a)
	default:
		h.agentSocket = expand(a)
	}
}

// settleJump fills via. The jump hosts have settings of their own in ssh_config;
// the inventory's ssh settings are those of the cluster's hosts, not theirs.
func (h *hop) settleJump(conf *configReader, o Options, depth int) error {
	if c := conf.get("proxycommand"); c != "" && c != "none" && h.Jump == "" {
		return fmt.Errorf("ssh_config sets ProxyCommand for %s, which drover does not run: use ProxyJump", h.Name)
	}
	jump := h.Jump
	if jump == "" {
		jump = strings.Join(conf.values["proxyjump"], "")
	}
	if jump == "" || jump == "none" {
		return nil
	}
	for i, one := range strings.Split(jump, ",") {
		t, err := parseJump(one)
		if err != nil {
			return err
		}
		if i > 0 {
			t.Jump = "none" // its way is through the one before it
		}
		next, err := settle(t, o, depth+1)
		if err != nil {
			return fmt.Errorf("jump host %s: %w", one, err)
		}
		if i > 0 {
			next.via = h.via
		}
		h.via = next
	}
	return nil
}

// parseJump reads [user@]host[:port], also as ssh://.
func parseJump(s string) (Target, error) {
	t := Target{}
	rest := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "ssh://"), "/")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		t.User, rest = rest[:at], rest[at+1:]
	}
	if h, p, err := net.SplitHostPort(rest); err == nil {
		if t.Port, err = strconv.Atoi(p); err != nil {
			return t, fmt.Errorf("ProxyJump %q: %q is not a port", s, p)
		}
		rest = h
	}
	rest = strings.Trim(rest, "[]")
	if rest == "" {
		return t, fmt.Errorf("ProxyJump %q names no host", s)
	}
	t.Name, t.Address = rest, rest
	return t, nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
