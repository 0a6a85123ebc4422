package evidence

import (
	"context"
	"fmt"
	"strings"

	"github.com/droverctl/drover/provision/internal/kube"
)

// mostPods is how many pods are told of.
const mostPods = 3

// Pods is what the API knows of the pods in trouble of Deployments and DaemonSets, on
// a node alone when one is named.
func Pods(ctx context.Context, api *kube.Client, node string, keys ...kube.Key) string {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	pods, err := api.Troubled(ctx, node, keys...)
	var out []string
	for i, p := range pods {
		if i == mostPods {
			out = append(out, fmt.Sprintf("and %d more pods are in trouble", len(pods)-i))
			break
		}
		out = append(out, Pod(ctx, api, p.Namespace, p.Name))
	}
	if err != nil {
		out = append(out, fmt.Sprintf("more of the pods could not be told: %v", err))
	}
	return strings.Join(out, "\n")
}

// Pod is what the API knows of one.
func Pod(ctx context.Context, api *kube.Client, namespace, name string) string {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	lines, err := api.Evidence(ctx, namespace, name)
	if err != nil {
		lines = append(lines, err.Error())
	}
	return fmt.Sprintf("pod %s/%s:\n  %s", namespace, name, strings.Join(lines, "\n  "))
}
