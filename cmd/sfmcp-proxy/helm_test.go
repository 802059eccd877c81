package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/seal"
)

// The chart, and where .ci/run puts helm and .ci/python-clients the schemas of Kubernetes.
const (
	chartDir       = "../../examples/helm/sfmcp-proxy"
	helmHere       = "../../.ci/cache/bin/helm"
	kubernetesHere = "../../.ci/cache/python/kubernetes/bin/kubernetes-validate"
)

func helm(t *testing.T, args ...string) (out, said string, err error) {
	t.Helper()
	program := helmHere
	if _, missing := os.Stat(program); missing != nil {
		program, missing = exec.LookPath("helm")
		need(t, "helm", missing == nil, "go install helm.sh/helm/v4/cmd/helm@v4.3.1")
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "KUBECONFIG=/nonexistent") // nobody's settings, and no cluster
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

// values are the files of values that the chart is tried with, in the order in which they are given.
func values(names ...string) (args []string) {
	for _, name := range names {
		args = append(args, "-f", filepath.Join(chartDir, "ci", name+"-values.yaml"))
	}
	return args
}

// rendered is what the chart makes, by kind and name.
type rendered map[string]kubeObject

type kubeObject struct {
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name string `yaml:"name"`
	} `yaml:"metadata"`
	Data map[string]string `yaml:"data"`
	Spec struct {
		Replicas       int               `yaml:"replicas"`
		Selector       map[string]any    `yaml:"selector"`
		MaxUnavailable any               `yaml:"maxUnavailable"`
		PolicyTypes    []string          `yaml:"policyTypes"`
		PodSelector    map[string]any    `yaml:"podSelector"`
		Ingress        []policyRule      `yaml:"ingress"`
		Egress         []policyRule      `yaml:"egress"`
		Template       podTemplate       `yaml:"template"`
		Claims         []any             `yaml:"volumeClaimTemplates"`
		Retention      map[string]string `yaml:"persistentVolumeClaimRetentionPolicy"`
	} `yaml:"spec"`
}

type policyRule struct {
	To    []map[string]any `yaml:"to"`
	From  []map[string]any `yaml:"from"`
	Ports []struct {
		Port any `yaml:"port"`
	} `yaml:"ports"`
}

type podTemplate struct {
	Metadata struct {
		Annotations map[string]string `yaml:"annotations"`
	} `yaml:"metadata"`
	Spec struct {
		AutomountToken *bool            `yaml:"automountServiceAccountToken"`
		HostNetwork    bool             `yaml:"hostNetwork"`
		Grace          int              `yaml:"terminationGracePeriodSeconds"`
		Security       securityContext  `yaml:"securityContext"`
		Containers     []containerSpec  `yaml:"containers"`
		InitContainers []containerSpec  `yaml:"initContainers"`
		Volumes        []map[string]any `yaml:"volumes"`
		Spread         []map[string]any `yaml:"topologySpreadConstraints"`
	} `yaml:"spec"`
}

type securityContext struct {
	RunAsNonRoot bool              `yaml:"runAsNonRoot"`
	RunAsUser    int               `yaml:"runAsUser"`
	FSGroup      int               `yaml:"fsGroup"`
	Seccomp      map[string]string `yaml:"seccompProfile"`
	Escalation   *bool             `yaml:"allowPrivilegeEscalation"`
	Privileged   bool              `yaml:"privileged"`
	ReadOnlyRoot bool              `yaml:"readOnlyRootFilesystem"`
	Capabilities struct {
		Add  []string `yaml:"add"`
		Drop []string `yaml:"drop"`
	} `yaml:"capabilities"`
}

type containerSpec struct {
	Image     string           `yaml:"image"`
	Args      []string         `yaml:"args"`
	Env       []map[string]any `yaml:"env"`
	EnvFrom   []any            `yaml:"envFrom"`
	Security  securityContext  `yaml:"securityContext"`
	Readiness probe            `yaml:"readinessProbe"`
	Liveness  probe            `yaml:"livenessProbe"`
	Startup   probe            `yaml:"startupProbe"`
	Mounts    []struct {
		Path     string `yaml:"mountPath"`
		ReadOnly bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
	Resources map[string]map[string]any `yaml:"resources"`
}

type probe struct {
	Get struct {
		Path string `yaml:"path"`
		Port string `yaml:"port"`
	} `yaml:"httpGet"`
	Period   int `yaml:"periodSeconds"`
	Failures int `yaml:"failureThreshold"`
}

func render(t *testing.T, args ...string) (all rendered, text string) {
	t.Helper()
	text, said, err := helm(t, append([]string{"template", "proxy", chartDir}, args...)...)
	if err != nil {
		t.Fatalf("helm template %v: %v\n%s", args, err, said)
	}
	all = rendered{}
	for documents := yaml.NewDecoder(strings.NewReader(text)); ; {
		var m kubeObject
		err := documents.Decode(&m)
		if errors.Is(err, io.EOF) {
			return all, text
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.Kind != "" {
			all[m.Kind+" "+m.Metadata.Name] = m
		}
	}
}

// SR-SC-2: the chart, as little and as much as one can say: Kubernetes has all that stands in it, the pods
// may do little, and the configuration that they get is right.
func TestHelmChart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		files    []string
		replicas int
		kinds    []string
		egress   []any // ports
		volumes  int
	}{
		"minimal":  {[]string{"minimal"}, 1, nil, []any{53, 53, 443}, 1},
		"full":     {[]string{"minimal", "full"}, 3, []string{"Ingress proxy", "PodMonitor proxy"}, []any{53, 53, 5432, 443}, 1},
		"database": {[]string{"minimal", "full", "database"}, 3, []string{"Ingress proxy", "PodMonitor proxy"}, []any{53, 53, 5432, 443}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, said, err := helm(t, append([]string{"lint", "--strict", chartDir}, values(tt.files...)...)...); err != nil {
				t.Errorf("helm lint: %v\n%s%s", err, out, said)
			}
			all, text := render(t, values(tt.files...)...)
			for _, want := range append(tt.kinds, "ConfigMap proxy", "NetworkPolicy proxy", "PodDisruptionBudget proxy", "Service proxy", "Service proxy-replicas", "ServiceAccount proxy", "StatefulSet proxy") {
				if _, there := all[want]; !there {
					t.Errorf("no %s", want)
				}
			}
			if len(all) != 7+len(tt.kinds) || strings.Contains(text, "kind: Secret\n") {
				t.Errorf("%d objects, or a Secret:\n%s", len(all), text)
			}
			set := all["StatefulSet proxy"]
			if set.Spec.Replicas != tt.replicas || len(set.Spec.Claims) != tt.volumes || (set.Spec.Retention["whenDeleted"] == "Retain") != (tt.volumes == 1) {
				t.Errorf("%+v", set.Spec)
			}
			if inDatabase := strings.Contains(all["ConfigMap proxy"].Data["sfmcp-proxy.yaml"], "dir: database"); inDatabase != (tt.volumes == 0) {
				t.Errorf("with %d volumes the audit log is in the database: %t", tt.volumes, inDatabase)
			}
			mayDoLittle(t, set.Spec.Template)
			endsInTime(t, set.Spec.Template, all["ConfigMap proxy"].Data["sfmcp-proxy.yaml"])
			reachesLittle(t, all["NetworkPolicy proxy"], tt.egress)
			isConfigured(t, all["ConfigMap proxy"].Data["sfmcp-proxy.yaml"])
			knownToKubernetes(t, text)
		})
	}
}

func mayDoLittle(t *testing.T, pod podTemplate) {
	t.Helper()
	s := pod.Spec
	if !s.Security.RunAsNonRoot || s.Security.RunAsUser != 65532 || s.Security.FSGroup != 65532 || s.Security.Seccomp["type"] != "RuntimeDefault" ||
		s.HostNetwork || s.AutomountToken == nil || *s.AutomountToken || len(s.InitContainers) != 0 || len(s.Containers) != 1 {
		t.Fatalf("the pod: %+v", s)
	}
	if len(s.Spread) == 0 || pod.Metadata.Annotations["checksum/config"] == "" {
		t.Errorf("spread %v, annotations %v", s.Spread, pod.Metadata.Annotations)
	}
	c := s.Containers[0]
	if sc := c.Security; sc.Privileged || sc.Escalation == nil || *sc.Escalation || !sc.ReadOnlyRoot || !slices.Equal(sc.Capabilities.Drop, []string{"ALL"}) || len(sc.Capabilities.Add) > 0 {
		t.Errorf("the container: %+v", sc)
	}
	if strings.HasSuffix(c.Image, ":latest") || !strings.Contains(c.Image, ":") || len(c.EnvFrom) > 0 || c.Resources["limits"]["memory"] == nil {
		t.Errorf("image %s, variables from %v, resources %v", c.Image, c.EnvFrom, c.Resources)
	}
	for _, variable := range c.Env {
		if variable["valueFrom"] != nil {
			t.Errorf("%v comes as a variable, which whoever looks into the process reads", variable)
		}
	}
	for what, p := range map[string]probe{"/readyz": c.Readiness, "/readyz ": c.Startup, "/healthz": c.Liveness} {
		if p.Get.Path != strings.TrimSpace(what) || p.Get.Port != "private" {
			t.Errorf("a probe asks %+v, want %s at the private listener", p.Get, what)
		}
	}
	// As long as the unit of systemd gives it to bring the schema up to date, before which nothing listens.
	if start := time.Duration(c.Startup.Period*c.Startup.Failures) * time.Second; start < 15*time.Minute {
		t.Errorf("a pod that migrates its database is ended after %s", start)
	}
	for _, m := range c.Mounts {
		if m.ReadOnly == (m.Path == "/data") {
			t.Errorf("%s: read only is %v", m.Path, m.ReadOnly)
		}
	}
	for _, v := range s.Volumes {
		if v["hostPath"] != nil {
			t.Errorf("%v is of the node", v)
		}
	}
}

// reachesLittle: DNS, the database if there is one, and the internet at one port, but no private network.
func reachesLittle(t *testing.T, policy kubeObject, want []any) {
	t.Helper()
	if !slices.Equal(policy.Spec.PolicyTypes, []string{"Ingress", "Egress"}) || len(policy.Spec.PodSelector) == 0 {
		t.Errorf("%+v", policy.Spec)
	}
	var ports []any
	for _, rule := range policy.Spec.Egress {
		if len(rule.To) == 0 || len(rule.Ports) == 0 {
			t.Errorf("a rule without peers or ports lets everything out: %+v", rule)
		}
		for _, p := range rule.Ports {
			ports = append(ports, p.Port)
		}
		for _, to := range rule.To {
			block, _ := to["ipBlock"].(map[string]any)
			if except, _ := block["except"].([]any); block["cidr"] == "0.0.0.0/0" && len(except) < 5 {
				t.Errorf("private networks are reached: %v", to)
			}
		}
	}
	if !slices.Equal(ports, want) {
		t.Errorf("ports %v, want %v", ports, want)
	}
	for _, rule := range policy.Spec.Ingress {
		if len(rule.From) == 0 || len(rule.Ports) != 1 {
			t.Errorf("a rule without peers or a port lets everybody in: %+v", rule)
		}
	}
}

// endsInTime wants a pod to answer until no more is sent to it, and to be killed only after that and the drain.
func endsInTime(t *testing.T, pod podTemplate, text string) {
	t.Helper()
	var c struct {
		Delay time.Duration `yaml:"shutdown_delay"`
	}
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	grace := time.Duration(pod.Spec.Grace) * time.Second
	if c.Delay < 3*time.Second || grace < c.Delay+longestDrain+closeTime+flushTime+time.Second {
		t.Errorf("it answers for %s, and is killed after %s", c.Delay, grace)
	}
}

// isConfigured has the program read the rendered configuration, with the secrets that the chart mounts.
func isConfigured(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	file, keys := filepath.Join(dir, defaultConfig), filepath.Join(dir, seal.CredentialName)
	if err := seal.CreateKeyFile(keys); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"salesforce/client-secret", "database/pgpass", "database/ca.crt", "okta/client-secret", "checkpoints/secret-key"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(secret)), 0o700), os.WriteFile(filepath.Join(dir, secret), []byte("secret"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "database/ca.crt"), []byte(read(t, dbtest.NewAuthority(t).File)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.NewReplacer("/run/secrets/", dir+"/", "/data/", dir+"/").Replace(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "check", "--config", file)
	cmd.Env = append(os.Environ(), runAsProgram+"=1", "CREDENTIALS_DIRECTORY="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("check: %v\n%s\n%s", err, out, text)
	}
	for _, want := range []string{"production: true", "admin_listen: 0.0.0.0:9090", "daily_calls: 20000000"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("check does not say %s:\n%s", want, out)
		}
	}
}

// knownToKubernetes validates all objects against the schemas of the oldest and the newest version of
// Kubernetes that are at hand and that the chart is for.
func knownToKubernetes(t *testing.T, text string) {
	t.Helper()
	_, err := os.Stat(kubernetesHere)
	need(t, "kubernetes", err == nil, "run .ci/python-clients")
	file := filepath.Join(t.TempDir(), "rendered.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"1.27.0", "1.37.0"} {
		out, err := exec.Command(kubernetesHere, "--strict", "-k", version, file).CombinedOutput()
		if err != nil || strings.Count(string(out), " passed for resource ") < 7 {
			t.Errorf("Kubernetes %s: %v\n%s", version, err, out)
		}
	}
}

// A changed configuration changes the pods, and nothing else does.
func TestHelmReplacesPodsOfAChangedConfiguration(t *testing.T) {
	t.Parallel()
	sum := func(set string) string {
		all, _ := render(t, append(values("minimal"), "--set", set)...)
		return all["StatefulSet proxy"].Spec.Template.Metadata.Annotations["checksum/config"]
	}
	if a, b, c := sum("service.port=80"), sum("service.port=81"), sum("config.contact=a@example.com"); a != b || a == c {
		t.Errorf("checksums %s, %s and %s", a, b, c)
	}
}
