package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

const hunter2 = "hunter2"

func TestSecretIsNeverPrinted(t *testing.T) {
	secret := NewSecret(hunter2)
	type inside struct {
		Public  Secret
		private Secret
	}
	for _, v := range []any{secret, &secret, []Secret{secret}, map[string]Secret{"k": secret}, inside{secret, secret}, &inside{secret, secret}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%20v", "%T"} {
			if s := fmt.Sprintf(verb, v); tells(s) {
				t.Errorf("%s of %T tells it: %s", verb, v, s)
			}
		}
		encoded, err := json.Marshal(v)
		if err != nil || tells(string(encoded)) {
			t.Errorf("JSON of %T: %s, %v", v, encoded, err)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		if tells(log.String()) {
			t.Errorf("the log tells it: %s", &log)
		}
	}
	if secret.Reveal() != hunter2 || !secret.IsSet() || !secret.Equal(NewSecret(hunter2)) {
		t.Error("the secret is lost")
	}
	if none := (Secret{}); none.IsSet() || none.Reveal() != "" || none.Equal(NewSecret("")) || fmt.Sprint(none) != "" {
		t.Error("no secret is not the same as an empty one")
	}
}

// tells looks for the password in clear, in hex and as a list of bytes.
func tells(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, hunter2) ||
		strings.Contains(s, fmt.Sprintf("%x", hunter2)) ||
		strings.Contains(s, strings.Trim(fmt.Sprint([]byte(hunter2)), "[]"))
}

// Whatever is wrong with it or around it, a password is not shown.
func TestMistakesTellNoSecret(t *testing.T) {
	t.Setenv("DROVER_TEST_SECRET", hunter2)
	bigip := func(password string) string {
		return "bigip \"f5\" {\n  peer_address = \"10.90.0.5\"\n  " + password + "\n}\n"
	}
	for name, text := range map[string]string{
		"good":               bigip(`password = "hunter2"`),
		"bare":               bigip(`password = hunter2`),
		"misspelt":           bigip(`pasword = "hunter2"`),
		"foreign name":       bigip(`bgp_secret = "hunter2"`),
		"list":               bigip(`password = ["hunter2"]`),
		"several lines":      bigip("password = join(\"\", [\n  \"hunter2\",\n 1, {}])"),
		"unclosed":           bigip(`password = "hunter2`),
		"heredoc":            bigip("password = <<EOT\nhunter2${\nEOT"),
		"unclosed heredoc":   bigip("password = <<EOT\nhunter2${"),
		"bad escape":         bigip(`password = "hunter2\z"`),
		"bad template":       bigip(`password = "hunter2${nope}"`),
		"one line":           `bigip "f5" { password = "hunter2" }`,
		"sensitive":          bigip(`manage = sensitive("hunter2")`),
		"env elsewhere":      bigip(`manage = env("DROVER_TEST_SECRET")`),
		"env in a list":      bigip(`accept = ["192.0.2.0/24", env("DROVER_TEST_SECRET")]`),
		"env in a string":    bigip(`manage = "a-${env("DROVER_TEST_SECRET")}"`),
		"env as a number":    bigip(`as_number = tonumber(env("DROVER_TEST_SECRET"))`),
		"env as a network":   bigip(`accept = [cidrsubnet(env("DROVER_TEST_SECRET"), 1, 1)]`),
		"env as a file":      bigip(`manage = file(env("DROVER_TEST_SECRET"))`),
		"env as a variable":  bigip(`manage = env(env("DROVER_TEST_SECRET"))`),
		"env as a key":       bigip(`manage = {(env("DROVER_TEST_SECRET")) = 1}.x`),
		"env as a condition": bigip(`manage = env("DROVER_TEST_SECRET") ? "ssh" : "manual"`),
		"env with variable":  bigip(`manage = format("%d", env("DROVER_TEST_SECRET"))`),
	} {
		t.Run(name, func(t *testing.T) { tellsNothing(t, "secret.hcl", text) })
	}
	for name, text := range map[string]string{
		"good":      `{"bigip": {"f5": {"password": "hunter2", "manage": "x"}}}`,
		"next line": "{\"bigip\": {\"f5\": {\"password\":\n\"hunter2\", \"manage\": 1}}}",
		"broken":    `{"bigip": {"f5": {"password": "hunter2", }`,
		"escape":    `{"bigip": {"f5": {"password": "hunter2\z"}}}`,
		"template":  `{"bigip": {"f5": {"password": "hunter2${"}}}`,
		"list":      `{"bigip": {"f5": {"password": ["hunter2"], "peer_address": 7}}}`,
		"misspelt":  `{"bigip": {"f5": {"pasword": "hunter2"}}}`,
		"misplaced": `{"bigip": {"password": "hunter2"}}`,
	} {
		t.Run("json "+name, func(t *testing.T) { tellsNothing(t, "secret.hcl.json", text) })
	}
}

func tellsNothing(t *testing.T, name, text string) {
	t.Helper()
	good := "cluster \"c\" {}\nkube_master \"m1\" {\n  address = \"10.90.0.11\"\n}\n"
	cluster, problems := newDecoder().load(Options{}, []file{{"good.hcl", []byte(good)}, {name, []byte(text)}})
	if s := render(t, problems); tells(s) {
		t.Errorf("the report tells it:\n%s", s)
	}
	if s := fmt.Sprintf("%+v %#v", problems, problems); tells(s) {
		t.Errorf("a problem tells it: %s", s)
	}
	if cluster != nil && tells(fmt.Sprintf("%+v %#v", cluster, cluster)) {
		t.Errorf("the cluster tells it: %+v", cluster)
	}
}

// Whatever holds a secret in an inventory, Secrets finds it.
func TestSecretsAreAllFound(t *testing.T) {
	c := Cluster{
		SSH: SSH{BecomePassword: NewSecret("of all")},
		BigIPs: []BigIP{
			{Password: NewSecret("of a session"), SSH: SSH{BecomePassword: NewSecret("of all")}},
			{SSH: SSH{BecomePassword: NewSecret("of a BIG-IP")}},
		},
		KubeNodes: []Host{{SSH: SSH{BecomePassword: NewSecret("of a host")}}},
	}
	want := []string{"of a BIG-IP", "of a host", "of a session", "of all"}
	if got := c.Secrets(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
