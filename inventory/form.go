package inventory

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/droverctl/drover/inventory/diag"
)

// The texts that say how to reach things, and taints.

// url reads an address of a web server, with or without a path.
func (b *block) url(name string, dst *string) {
	if !b.text(name, dst) {
		return
	}
	u, err := url.Parse(*dst)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && isHost(u.Hostname()) &&
		u.User == nil && u.RawQuery == "" && u.Fragment == "" {
		*dst = strings.TrimRight(*dst, "/")
		return
	}
	if strings.Contains(*dst, "@") { // a password perhaps
		b.d.sources.hide(rangeOf(b.attrs[name].Range))
	}
	fix := "write " + b.spec.mustAttr(name).sample()
	if isRegistry(*dst) {
		fix = fmt.Sprintf("write %q", "https://"+*dst)
	}
	b.d.report(diag.Problem{
		Code: CodeURL, At: b.where.At(name).Ptr(),
		Summary: fmt.Sprintf("%s is not the URL of a web server", name),
		Detail:  "It begins with http:// or https:// and holds no password, query or fragment.", Fix: fix,
	})
	*dst = ""
}

// registry reads host or host:port.
func (b *block) registry(name string, dst *string) {
	if !b.text(name, dst) || isRegistry(*dst) {
		return
	}
	fix := "write " + b.spec.mustAttr(name).sample()
	_, bare, _ := strings.Cut(*dst, "://")
	if bare = strings.TrimRight(bare, "/"); isRegistry(bare) {
		fix = fmt.Sprintf("write %q", bare)
		if strings.HasPrefix(*dst, "http://") {
			fix += " and registry_http = true"
		}
	}
	b.d.report(diag.Problem{
		Code: CodeEndpoint, At: b.where.At(name).Ptr(),
		Summary: fmt.Sprintf("%s %q is not a registry's host and port", name, *dst), Fix: fix,
	})
}

func isRegistry(s string) bool { return isHost(s) || isEndpoint(s) }

func isHost(s string) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Is4()
	}
	return len(s) <= 253 && dnsName.MatchString(s)
}

// hostName reads a name or an address.
func (b *block) hostName(name string, dst *string) {
	if b.text(name, dst) && !isHost(*dst) {
		b.badEndpoint(name, *dst, "a host's name or IPv4 address")
	}
}

var userName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// jump reads [user@]host[:port].
func (b *block) jump(name string, dst *string) {
	if !b.text(name, dst) {
		return
	}
	user, rest, hasUser := strings.Cut(*dst, "@")
	if !hasUser {
		user, rest = "root", *dst
	}
	if !userName.MatchString(user) || !isRegistry(rest) {
		b.badEndpoint(name, *dst, "a host to jump over")
	}
}

func (b *block) badEndpoint(name, text, want string) {
	b.d.report(diag.Problem{
		Code: CodeEndpoint, At: b.where.At(name).Ptr(),
		Summary: fmt.Sprintf("%s %q is not %s", name, text, want), Fix: "write " + b.spec.mustAttr(name).sample(),
	})
}

// hostKey reads a public key as known_hosts and ssh-keyscan have it, without
// the host before it. Whether it is a key, only the SSH client can tell.
func (b *block) hostKey(name string, dst *string) {
	if !b.text(name, dst) {
		return
	}
	fields := strings.Fields(*dst)
	if len(fields) > 2 && !isKeyType(fields[0]) && isKeyType(fields[1]) {
		b.badHostKey(name, fmt.Sprintf("leave out %q before the key's type", fields[0]))
		return
	}
	if len(fields) < 2 || !isKeyType(fields[0]) {
		b.badHostKey(name, "write "+b.spec.mustAttr(name).sample())
		return
	}
	if _, err := base64.StdEncoding.DecodeString(fields[1]); err != nil {
		b.badHostKey(name, "copy the whole line that ssh-keyscan HOST prints, without the host")
		return
	}
	*dst = fields[0] + " " + fields[1]
}

func isKeyType(s string) bool {
	return strings.HasPrefix(s, "ssh-") || strings.HasPrefix(s, "ecdsa-sha2-") || strings.HasPrefix(s, "sk-")
}

func (b *block) badHostKey(name, fix string) {
	b.d.report(diag.Problem{
		Code: CodeHostKey, At: b.where.At(name).Ptr(),
		Summary: name + " is not a public key of a host: its type and the key itself", Fix: fix,
	})
}

// taints reads a list of KEY[=VALUE]:EFFECT.
func (b *block) taints(name string, dst *[]Taint) {
	list, ok := b.texts(name)
	if !ok {
		return
	}
	for i, text := range list {
		t, fix := parseTaint(text)
		if fix == "" {
			*dst = append(*dst, t)
			continue
		}
		b.d.report(diag.Problem{
			Code: CodeTaint, At: b.where.AtElement(name, i).Ptr(),
			Summary: fmt.Sprintf("%q is not a taint", text), Fix: fix,
		})
	}
}

func parseTaint(text string) (t Taint, fix string) {
	effects := []string{"NoSchedule", "PreferNoSchedule", "NoExecute"}
	left, effect, ok := strings.Cut(text, ":")
	key, value, _ := strings.Cut(left, "=")
	switch {
	case !ok:
		return t, fmt.Sprintf("add the effect: %q", text+":NoSchedule")
	case !isLabelKey(key) || !labelValue.MatchString(value):
		return t, `write KEY=VALUE:EFFECT or KEY:EFFECT, such as "dedicated=gpu:NoSchedule"`
	}
	for _, e := range effects {
		if e == effect {
			return Taint{key, value, effect}, ""
		}
	}
	for _, e := range effects {
		if strings.EqualFold(e, effect) || nearest(strings.ToLower(effect), []string{strings.ToLower(e)}) != "" {
			return t, fmt.Sprintf("did you mean %q?", left+":"+e)
		}
	}
	return t, "end it in one of these: " + strings.Join(effects, ", ")
}
