package schedtest

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/droverctl/drover/provision/internal/etcd/etcdtest"
	"github.com/droverctl/drover/provision/internal/kube/kubetest"
)

// Server is a control plane that schedules.
type Server struct {
	client    *kubernetes.Clientset
	api       *kubetest.Server
	scheduler *etcdtest.Process
	rounds    int
	old       []string // the nodes there are
	spaces    []string // the namespaces that have pods
}

// Binaries are the programs that a Server runs.
type Binaries struct{ etcd, apiserver, scheduler string }

// Find says where the binaries are; when they are not, the error says so.
func Find() (b Binaries, err error) {
	if b.etcd, b.apiserver, err = kubetest.Find(); err != nil {
		return b, err
	}
	b.scheduler, err = etcdtest.Find("kubernetes", "kube-scheduler")
	return b, err
}

// Start starts all of it in dir. Stop must be called in any case.
func Start(dir string, b Binaries) (*Server, error) {
	api, err := kubetest.Start(dir, b.etcd, b.apiserver)
	s := &Server{api: api}
	if err != nil {
		return s, err
	}
	config := rest.Config{
		Host: api.URL, QPS: -1, Timeout: time.Minute,
		TLSClientConfig: rest.TLSClientConfig{CAData: api.CA, CertData: api.Admin.Cert, KeyData: api.Admin.Key},
		ContentConfig:   rest.ContentConfig{ContentType: "application/vnd.kubernetes.protobuf"},
	}
	if s.client, err = kubernetes.NewForConfig(&config); err != nil {
		return s, err
	}
	return s, s.schedule(dir, b.scheduler)
}

// Stop ends all of it.
func (s *Server) Stop() {
	if s.scheduler != nil {
		s.scheduler.Stop()
	}
	if s.api != nil {
		s.api.Stop()
	}
}

// schedule starts the scheduler with the settings it has by itself, but for what
// would only make a test wait.
func (s *Server) schedule(dir, binary string) error {
	kubeconfig, settings := filepath.Join(dir, "scheduler.kubeconfig"), filepath.Join(dir, "scheduler.yaml")
	access := clientcmdapi.NewConfig()
	access.Clusters["test"] = &clientcmdapi.Cluster{Server: s.api.URL, CertificateAuthorityData: s.api.CA}
	access.AuthInfos["test"] = &clientcmdapi.AuthInfo{ClientCertificateData: s.api.Admin.Cert, ClientKeyData: s.api.Admin.Key}
	access.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
	access.CurrentContext = "test"
	if err := clientcmd.WriteToFile(*access, kubeconfig); err != nil {
		return err
	}
	const config = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
clientConnection: {kubeconfig: %q, qps: 1000, burst: 1000}
podInitialBackoffSeconds: 1
podMaxBackoffSeconds: 1
`
	if err := os.WriteFile(settings, fmt.Appendf(nil, config, kubeconfig), 0o600); err != nil {
		return err
	}
	var err error
	s.scheduler, err = etcdtest.StartProcess(dir, binary, "--config="+settings, "--secure-port=0")
	return err
}
