package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &obj.Object); err != nil {
		t.Fatal(err)
	}
	return obj
}

// namespace makes one for a test.
func namespace(t *testing.T, c *Client, name string) {
	t.Helper()
	if err := c.Apply(t.Context(), object(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+name+"}}")); err != nil {
		t.Fatal(err)
	}
}

func observe(t *testing.T, c *Client, obj *unstructured.Unstructured) Observation {
	t.Helper()
	return c.Observe(t.Context(), []*unstructured.Unstructured{obj})[KeyOf(obj)]
}

func wantState(t *testing.T, o Observation, state State, differences ...string) {
	t.Helper()
	if o.State != state || !slices.Equal(o.Differences, differences) {
		t.Errorf("got  %s %q %v\nwant %s %q", o.State, o.Differences, o.Err, state, differences)
	}
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: dns, namespace: %NS%}
spec:
  replicas: 2
  selector: {matchLabels: {app: dns}}
  template:
    metadata: {labels: {app: dns}}
    spec:
      containers:
      - name: dns
        image: dns:1
        env: [{name: MODE, value: fast}]
`

func TestApplyThenObserve(t *testing.T) {
	c := admin(t)
	namespace(t, c, "apply")
	text := strings.ReplaceAll(deployment, "%NS%", "apply")
	obj := object(t, text)
	wantState(t, observe(t, c, obj), Absent)
	if err := c.Apply(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	wantState(t, observe(t, c, obj), AsWanted)

	changed := object(t, strings.NewReplacer("dns:1", "dns:2", "fast", "slow").Replace(text))
	wantState(t, observe(t, c, changed), Differs,
		"spec.template.spec.containers[dns].env[MODE].value: fast → slow",
		"spec.template.spec.containers[dns].image: dns:1 → dns:2")
	// Looking changed nothing.
	wantState(t, observe(t, c, obj), AsWanted)

	// What we no longer say goes.
	less := object(t, strings.ReplaceAll(text, "        env: [{name: MODE, value: fast}]\n", ""))
	wantState(t, observe(t, c, less), Differs,
		`spec.template.spec.containers[dns].env: [{"name":"MODE","value":"fast"}] → (none)`)
}

// What a controller writes between the two requests of a look is no difference.
func TestObserveWhileOthersWrite(t *testing.T) {
	c := admin(t)
	namespace(t, c, "torn")
	obj := object(t, strings.ReplaceAll(deployment, "%NS%", "torn"))
	if err := c.Apply(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	write := func(n int) {
		patch := fmt.Sprintf(`{"metadata":{"annotations":{"revision":"%d"}}}`, n)
		if _, err := c.typed.AppsV1().Deployments("torn").Patch(t.Context(), "dns", types.StrategicMergePatchType, []byte(patch),
			metav1.PatchOptions{FieldManager: "controller"}); err != nil {
			t.Error(err)
		}
	}
	target, err := c.target(t.Context(), Ref{Key: KeyOf(obj), Version: "v1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for writes, want := range map[int]State{0: AsWanted, 1: AsWanted, looks - 1: AsWanted, looks: Differs} {
		between := &betweenRequests{ResourceInterface: target, left: writes, write: write}
		if o := observeAt(t.Context(), between, obj); o.State != want {
			t.Errorf("%d writes: %s %q, want %s", writes, o.State, o.Differences, want)
		}
		// A real difference is told at once.
		between.left, between.gets = 0, 0
		changed := object(t, strings.NewReplacer("%NS%", "torn", "dns:1", "dns:2").Replace(deployment))
		if o := observeAt(t.Context(), between, changed); o.State != Differs || between.gets != 1 {
			t.Errorf("%s after %d looks", o.State, between.gets)
		}
	}
}

// betweenRequests writes after each of the first reads.
type betweenRequests struct {
	dynamic.ResourceInterface
	left, gets int
	write      func(n int)
}

func (b *betweenRequests) Get(ctx context.Context, name string, o metav1.GetOptions, sub ...string) (*unstructured.Unstructured, error) {
	b.gets++
	got, err := b.ResourceInterface.Get(ctx, name, o, sub...)
	if b.left > 0 {
		b.left--
		b.write(b.left)
	}
	return got, err
}

func TestObserveSeesWhatOthersDid(t *testing.T) {
	c := admin(t)
	namespace(t, c, "drift")
	obj := object(t, strings.ReplaceAll(deployment, "%NS%", "drift"))
	if err := c.Apply(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	deployments := c.typed.AppsV1().Deployments("drift")
	edit := func(patch string) {
		t.Helper()
		if _, err := deployments.Patch(t.Context(), "dns", types.StrategicMergePatchType, []byte(patch),
			metav1.PatchOptions{FieldManager: "somebody"}); err != nil {
			t.Fatal(err)
		}
	}
	// A foreign field beside ours is left alone.
	edit(`{"metadata":{"annotations":{"theirs":"yes"}},"spec":{"minReadySeconds":7}}`)
	wantState(t, observe(t, c, obj), AsWanted)
	// A foreign value in ours is seen.
	edit(`{"spec":{"replicas":5}}`)
	wantState(t, observe(t, c, obj), Differs, "spec.replicas: 5 → 2")
	// So is a field of ours that was taken away.
	edit(`{"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"dns","env":[{"$patch":"delete","name":"MODE"}]}]}}}}`)
	wantState(t, observe(t, c, obj), Differs,
		`spec.template.spec.containers[dns].env: (none) → [{"name":"MODE","value":"fast"}]`)

	if err := c.Apply(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	wantState(t, observe(t, c, obj), AsWanted)
	d, err := deployments.Get(t.Context(), "dns", metav1.GetOptions{})
	if err != nil || d.Spec.MinReadySeconds != 7 || d.Annotations["theirs"] != "yes" {
		t.Errorf("what others set was lost: %d %v %v", d.Spec.MinReadySeconds, d.Annotations, err)
	}
}

func TestRefusedIsNotUnseen(t *testing.T) {
	c := admin(t)
	namespace(t, c, "refused")
	text := strings.ReplaceAll(deployment, "%NS%", "refused")
	if err := c.Apply(t.Context(), object(t, text)); err != nil {
		t.Fatal(err)
	}
	o := observe(t, c, object(t, strings.ReplaceAll(text, "{app: dns}", "{app: other}")))
	if o.State != Refused || o.Err == nil || !strings.Contains(o.Err.Error(), "immutable") {
		t.Errorf("%s %v", o.State, o.Err)
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	c := admin(t)
	namespace(t, c, "secrets")
	const text = "{apiVersion: v1, kind: Secret, metadata: {name: bgp, namespace: secrets}, stringData: {password: %V%}}"
	first := object(t, strings.ReplaceAll(text, "%V%", "hunter2"))
	if err := c.Apply(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	wantState(t, observe(t, c, first), AsWanted)
	wantState(t, observe(t, c, object(t, strings.ReplaceAll(text, "%V%", "hunter3"))), Differs, "data.password: differs")

	bad := object(t, "{apiVersion: v1, kind: Secret, metadata: {name: bgp, namespace: secrets}, data: {password: hunter-2}}")
	for _, err := range []error{c.Apply(t.Context(), bad), observe(t, c, bad).Err} {
		if err == nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%v", err)
		}
	}
}

func TestUnseenIsNotAbsent(t *testing.T) {
	admin(t)
	nobody, err := server.User("nobody")
	if err != nil {
		t.Fatal(err)
	}
	obj := object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: no-such, namespace: default}}")
	if o := observe(t, connect(t, nobody), obj); o.State != Unseen || o.Err == nil {
		t.Errorf("a forbidden look is %s (%v)", o.State, o.Err)
	}
	cut := errors.New("the tunnel is closed")
	c, err := Connect(Config{Server: server.URL, CA: server.CA,
		Dial: func(context.Context, string, string) (net.Conn, error) { return nil, cut }})
	if err != nil {
		t.Fatal(err)
	}
	if o := observe(t, c, obj); o.State != Unseen || !errors.Is(o.Err, cut) {
		t.Errorf("a look over a broken connection is %s (%v)", o.State, o.Err)
	}
	if err := c.Ready(t.Context()); !errors.Is(err, cut) {
		t.Errorf("%v", err)
	}
}

func TestNamespacesAreNotGuessed(t *testing.T) {
	c := admin(t)
	without := object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}")
	if err := c.Apply(t.Context(), without); err == nil || !strings.Contains(err.Error(), "needs a namespace") {
		t.Errorf("%v", err)
	}
	with := object(t, "{apiVersion: v1, kind: Namespace, metadata: {name: x, namespace: other}}")
	if err := c.Apply(t.Context(), with); err == nil || !strings.Contains(err.Error(), "its kind has none") {
		t.Errorf("%v", err)
	}
}

const widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.test.drover.io}
spec:
  group: test.drover.io
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  scope: Cluster
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {type: integer}
              colour: {type: string, default: grey}
`

func TestCustomResources(t *testing.T) {
	c := admin(t)
	widget := object(t, "{apiVersion: test.drover.io/v1, kind: Widget, metadata: {name: w}, spec: {size: 1}}")
	o := observe(t, c, widget)
	var unknown *UnknownKindError
	if o.State != KindAbsent || !errors.As(o.Err, &unknown) {
		t.Fatalf("%s %v", o.State, o.Err)
	}
	if err := c.Apply(t.Context(), widget); !errors.As(err, &unknown) {
		t.Fatalf("%v", err)
	}
	if err := c.Delete(t.Context(), Ref{Key: KeyOf(widget)}); err != nil {
		t.Errorf("deleting what cannot exist: %v", err)
	}
	var not *NotReadyError
	if err := c.Established(t.Context(), "widgets.test.drover.io"); !errors.As(err, &not) {
		t.Errorf("%v", err)
	}

	crd := object(t, widgets)
	if err := c.Apply(t.Context(), crd); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the CRD", func(ctx context.Context) error {
		return c.Established(ctx, "widgets.test.drover.io")
	})
	if err := c.Apply(t.Context(), widget); err != nil {
		t.Fatal(err)
	}
	wantState(t, observe(t, c, crd), AsWanted)
	wantState(t, observe(t, c, widget), AsWanted) // for all its default
	bigger := widget.DeepCopy()
	bigger.Object["spec"] = map[string]any{"size": int64(2)}
	wantState(t, observe(t, c, bigger), Differs, "spec.size: 1 → 2")

	if err := c.Delete(t.Context(), Ref{Key: KeyOf(crd)}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the CRD to go", func(context.Context) error {
		if o := observe(t, c, crd); o.State != Absent {
			return errors.New(o.State.String())
		}
		return nil
	})
}

func TestOwned(t *testing.T) {
	c := admin(t)
	namespace(t, c, "owned")
	ours := object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: ours, namespace: owned}}")
	Own(ours)
	unlabelled := object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: unlabelled, namespace: owned}}")
	for _, obj := range []*unstructured.Unstructured{ours, unlabelled} {
		if err := c.Apply(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	maps := c.typed.CoreV1().ConfigMaps("owned")
	copied := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "copied", Labels: map[string]string{ManagedByLabel: ManagedBy}}}
	if _, err := maps.Create(t.Context(), copied, metav1.CreateOptions{FieldManager: "somebody"}); err != nil {
		t.Fatal(err)
	}

	kinds := []schema.GroupKind{{Kind: "ConfigMap"}, {Group: "no.such", Kind: "Thing"}}
	for _, of := range [][]schema.GroupKind{kinds, nil} {
		refs, err := c.Owned(t.Context(), of...)
		if err != nil {
			t.Fatal(err)
		}
		refs = slices.DeleteFunc(refs, func(r Ref) bool { return r.Namespace != "owned" })
		if len(refs) != 1 || refs[0].Key != KeyOf(ours) || refs[0].UID == "" {
			t.Fatalf("of %v: %v", of, refs)
		}
		// Another object of the name is not the one that was seen.
		other := refs[0]
		other.UID = "00000000-0000-0000-0000-000000000000"
		if err := c.Delete(t.Context(), other); err == nil {
			t.Error("deleted an object of another UID")
		}
		if of == nil {
			if err := c.Delete(t.Context(), refs[0]); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantState(t, observe(t, c, ours), Absent)
	if err := c.Delete(t.Context(), Ref{Key: KeyOf(ours)}); err != nil {
		t.Errorf("deleting what is gone: %v", err)
	}
}

func TestDyingObjectIsNotAsWanted(t *testing.T) {
	c := admin(t)
	namespace(t, c, "dying")
	obj := object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: held, namespace: dying, finalizers: [drover.io/test]}}")
	if err := c.Apply(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	wantState(t, observe(t, c, obj), AsWanted)
	if err := c.Delete(t.Context(), Ref{Key: KeyOf(obj)}); err != nil {
		t.Fatal(err)
	}
	wantState(t, observe(t, c, obj), Differs, "it is being deleted")
}

// A Secret's fields that we no longer say go with an apply, and not with one that has them
// from a look.
func TestGet(t *testing.T) {
	c := admin(t)
	namespace(t, c, "got")
	text := "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: got}, data: {a: YQ==, b: Yg==}}"
	ref := Ref{Key: KeyOf(object(t, text)), Version: "v1"}
	for _, none := range []Ref{ref, {Key: Key{Group: "no.such.example", Kind: "Thing", Name: "x"}}} {
		if got, err := c.Get(t.Context(), none); got != nil || err != nil {
			t.Errorf("%s: %v, %v", none.Key, got, err)
		}
	}
	if err := c.Apply(t.Context(), object(t, text)); err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(t.Context(), ref)
	if err != nil || fmt.Sprint(got.Object["data"]) != "map[a:YQ== b:Yg==]" {
		t.Fatalf("%v, %v", got, err)
	}
	less := object(t, "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: got}, data: {a: YQ==}}")
	wantState(t, observe(t, c, less), Differs, "data.b: is not wanted")
	less.Object["data"] = got.Object["data"]
	wantState(t, observe(t, c, less), AsWanted)
}
