package inventory

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

func evaluate(t *testing.T, expr string) (cty.Value, error) {
	t.Helper()
	e, diags := hclsyntax.ParseExpression([]byte(expr), "x.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	v, diags := e.Value(newScope("testdata", false).eval)
	if diags.HasErrors() {
		return v, diags
	}
	return v, nil
}

func TestFunctions(t *testing.T) {
	t.Setenv("DROVER_TEST_ENV", "from the environment")
	for expr, want := range map[string]string{
		`cidrhost("10.90.0.0/24", 11)`:                    "10.90.0.11",
		`cidrhost("10.90.0.77/24", 0)`:                    "10.90.0.0",
		`cidrhost("10.90.0.0/24", -2)`:                    "10.90.0.254",
		`cidrhost("0.0.0.0/0", 4294967295)`:               "255.255.255.255",
		`cidrhost("10.90.0.7/32", 0)`:                     "10.90.0.7",
		`cidrsubnet("10.100.0.0/16", 2, 3)`:               "10.100.192.0/18",
		`cidrsubnet("10.100.0.0/16", 0, 0)`:               "10.100.0.0/16",
		`cidrsubnet("0.0.0.0/0", 32, 4294967295)`:         "255.255.255.255/32",
		`format("kube-node-%02d", 7)`:                     "kube-node-07",
		`join(",", [for n in range(1, 4) : tostring(n)])`: "1,2,3",
		`nonsensitive(env("DROVER_TEST_ENV"))`:            "from the environment",
		`nonsensitive(trimspace(file("full.secret")))`:    "correct horse",
		`tostring(tonumber("7") + 1)`:                     "8",
	} {
		v, err := evaluate(t, expr)
		if err != nil || v.IsMarked() || v.AsString() != want {
			t.Errorf("%s: got %#v, %v, want %s", expr, v, err, want)
		}
	}
}

func TestFunctionErrors(t *testing.T) {
	for expr, want := range map[string]string{
		`cidrhost("10.90.0.0/24", 256)`:                       "no address number 256",
		`cidrhost("10.90.0.0/24", -257)`:                      "no address number -257",
		`cidrhost("10.90.0.0/24", 1.5)`:                       "must be a whole number",
		`cidrhost("10.90.0.0", 1)`:                            "not an IPv4 network",
		`cidrhost("2001:db8::/64", 1)`:                        "not an IPv4 network",
		`cidrsubnet("10.100.0.0/16", 17, 0)`:                  "cannot be extended by 17 bits",
		`cidrsubnet("10.100.0.0/16", -1, 0)`:                  "cannot be extended by -1 bits",
		`cidrsubnet("10.100.0.0/16", 9223372036854775807, 0)`: "cannot be extended by",
		`cidrsubnet("10.100.0.0/16", 2, 4)`:                   "no subnet number 4 of /18",
		`cidrsubnet("10.100.0.0/16", 2, -1)`:                  "no subnet number -1 of /18",
		`format("%1000s", "")`:                                "a width of 1000 or more",
		`file("/dev/zero")`:                                   "not a regular file",
		`file("fragments")`:                                   "not a regular file",
		`env("DROVER_TEST_NOT_SET")`:                          "is not set",
	} {
		if v, err := evaluate(t, expr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %#v, %v, want %s", expr, v, err, want)
		}
	}
}

// A secret stays one, whatever it becomes part of.
func TestSensitiveSpreads(t *testing.T) {
	t.Setenv("DROVER_TEST_ENV", "x")
	for _, expr := range []string{
		`env("DROVER_TEST_ENV")`, `file("full.secret")`, `sensitive("x")`,
		`"a-${env("DROVER_TEST_ENV")}"`, `upper(env("DROVER_TEST_ENV"))`,
		`format("%s", env("DROVER_TEST_ENV"))`, `[env("DROVER_TEST_ENV")]`,
		`{ a = { b = env("DROVER_TEST_ENV") } }`, `env("DROVER_TEST_ENV") == "x"`,
		`[for s in [env("DROVER_TEST_ENV")] : s]`, `env("DROVER_TEST_ENV") == "x" ? "a" : "b"`,
		`try(env("DROVER_TEST_ENV"), "x")`, `toset([env("DROVER_TEST_ENV")])`,
	} {
		if v, err := evaluate(t, expr); err != nil || !v.HasMarkDeep(sensitive) {
			t.Errorf("%s: got %#v, %v", expr, v, err)
		}
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"address", "failure_domain", "labels"}
	for word, want := range map[string]string{
		"adress": "address", "ADDRESS": "address", "adress_": "address", "adderss": "address",
		"failuredomain": "failure_domain", "lable": "labels", "zone": "", "": "", "x": "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
	if got, want := suggest("zone", known), "use one of these: address, failure_domain, labels"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
