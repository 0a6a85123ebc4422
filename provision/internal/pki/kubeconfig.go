package pki

import (
	"errors"
	"fmt"

	"sigs.k8s.io/yaml"
)

// Kubeconfig is how one client reaches one cluster. The CA and the client's
// certificate and key come either as PEM, embedded, or as paths on the host:
// files named by path can be renewed without touching the kubeconfig, and
// Kubernetes' clients pick them up without a restart.
type Kubeconfig struct {
	Cluster string // name of the cluster
	Server  string // URL, as in https://127.0.0.1:16443
	User    string

	CA   []byte // PEM
	Cert []byte // PEM
	Key  []byte // PEM; makes the file a secret

	CAFile   string
	CertFile string
	KeyFile  string

	Token string // a bootstrap token instead of a certificate; makes the file a secret
}

// File is the kubeconfig as a file: a secret if it embeds a key or a token.
// Equal inputs give equal bytes.
func (k Kubeconfig) File() ([]byte, error) {
	if err := k.valid(); err != nil {
		return nil, fmt.Errorf("pki: kubeconfig of %s: %w", k.User, err)
	}
	type object = map[string]any
	cluster := object{"server": k.Server}
	put(cluster, "certificate-authority", k.CAFile, k.CA)
	user := object{}
	put(user, "client-certificate", k.CertFile, k.Cert)
	put(user, "client-key", k.KeyFile, k.Key)
	if k.Token != "" {
		user["token"] = k.Token
	}
	context := k.User + "@" + k.Cluster
	// sigs.k8s.io/yaml sorts the keys of maps.
	return yaml.Marshal(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"clusters":        []object{{"name": k.Cluster, "cluster": cluster}},
		"users":           []object{{"name": k.User, "user": user}},
		"contexts":        []object{{"name": context, "context": object{"cluster": k.Cluster, "user": k.User}}},
		"current-context": context,
	})
}

func put(m map[string]any, field, file string, data []byte) {
	switch {
	case file != "":
		m[field] = file
	case len(data) > 0:
		m[field+"-data"] = data // []byte becomes base64, which is what the field wants
	}
}

func (k Kubeconfig) valid() error {
	one := func(file string, data []byte) bool { return (file == "") != (len(data) == 0) }
	switch {
	case k.Cluster == "" || k.Server == "" || k.User == "":
		return errors.New("cluster, server and user must be named")
	case !one(k.CAFile, k.CA):
		return errors.New("the CA must be given once, as PEM or as a path")
	case k.Token != "":
		if k.CertFile != "" || k.KeyFile != "" || len(k.Cert) > 0 || len(k.Key) > 0 {
			return errors.New("a token and a certificate exclude each other")
		}
	case !one(k.CertFile, k.Cert) || !one(k.KeyFile, k.Key):
		return errors.New("certificate and key must each be given once, as PEM or as a path")
	}
	return nil
}

// String names the client, never its credentials.
func (k Kubeconfig) String() string { return "kubeconfig of " + k.User + " for " + k.Cluster }

// Format answers every verb like String.
func (k Kubeconfig) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// MarshalText covers JSON.
func (k Kubeconfig) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
