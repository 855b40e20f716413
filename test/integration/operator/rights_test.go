package operator

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/internal/release"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// What the operator's account may do more than any other, as the API server sees it.
func TestRights(t *testing.T) {
	for _, base := range []string{"operator-target", "operator-rbac"} {
		apply, err := cp.Kubectl(t.Context(), "apply", "--server-side", "--force-conflicts", "-k", filepath.Join("..", "..", "..", "config", base))
		if err != nil {
			t.Fatal(err)
		}
		if output, err := apply.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
	got, err := cp.Rights(t.Context(), "system:serviceaccount:kubefledged-operator:kubefledged-operator", "kubefledged-operator", "kube-fledged", "kube-fledged-node", "default")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "rights-operator.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is not what the API server says; run with -update if that is right:\n%s", path, got)
	}
}

// noteGiven reads which rights the installed roles give: who makes a role must have them.
func (l *life) noteGiven() {
	var records []*release.Object
	for _, record := range history(l.t, l.kf).Records {
		objects, err := release.Parse(record.Manifest)
		if err != nil {
			l.t.Fatal(err)
		}
		records = append(records, objects...)
	}
	for _, object := range records {
		var role rbacv1.Role
		if kind := object.GetKind(); kind != "Role" && kind != "ClusterRole" {
			continue
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
			l.t.Fatal(err)
		}
		for _, r := range rightsOf(role.Rules, role.Namespace) {
			l.given[r] = true
		}
	}
}

// rightsOf spells rules out. Names of objects are left out.
func rightsOf(rules []rbacv1.PolicyRule, namespace string) []right {
	var all []right
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					all = append(all, right{verb, group, resource, namespace})
				}
			}
		}
	}
	return all
}

// grantRules gives a user the rules of a Role in a namespace.
func grantRules(t *testing.T, user, namespace string, rules []rbacv1.PolicyRule) {
	t.Helper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: user, Namespace: namespace}, Rules: rules}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: role.ObjectMeta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
	for _, object := range []client.Object{role, binding} {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// liveWith is a life under these rules.
func liveWith(t *testing.T, user string, clusterRole, role, election []rbacv1.PolicyRule) *life {
	t.Helper()
	rc, err := cp.User(user, clusterRole)
	if err != nil {
		t.Fatal(err)
	}
	l := newLife(t)
	grantRules(t, user, l.kf.Namespace, role)
	grantRules(t, user, operatorNamespace, election)
	l.live(rc)
	return l
}

// explained are rights that this life does not need, and that others do.
var explained = map[string]string{
	"get charts.helm.kubefledged.io/kubefledgeds":          "to let go of one in a namespace that is going, its Role gone: TestNamespaceIsDeletedFirst",
	"patch charts.helm.kubefledged.io/kubefledgeds":        "the same",
	"patch charts.helm.kubefledged.io/kubefledgeds/status": "to refuse one in any namespace: TestSecondKubeFledged",
}

// Each right is used by the operator itself, or given on by a role that it makes:
// in all namespaces where it has it for all, and where informers watch they also
// list, from API servers that do not send the list with the watch.
func TestEveryRightIsUsed(t *testing.T) {
	addForeignKinds(t)
	clusterRole, role, election, err := rulesShipped()
	if err != nil {
		t.Fatal(err)
	}
	l := liveWith(t, "operator-observed", clusterRole, role, election)
	if refused := l.traffic.refusal(); refused != "" {
		t.Fatalf("forbidden: %s", refused)
	}
	needed := l.given
	for _, used := range l.traffic.all() {
		if used.verb == "watch" {
			needed[right{"list", used.group, used.resource, used.namespace}] = true
		}
		needed[used] = true
	}
	var unused []string
	for _, has := range slices.Concat(rightsOf(clusterRole, ""), rightsOf(role, l.kf.Namespace), rightsOf(election, operatorNamespace)) {
		if explained[has.String()] == "" && !needed[has] && !(has.namespace == "" && usedSomewhereElse(needed, has, l.kf.Namespace)) {
			unused = append(unused, has.String()+" "+has.namespace)
		}
	}
	slices.Sort(unused)
	for _, right := range unused {
		t.Errorf("nothing needs: %s", right)
	}
}

// usedSomewhereElse tells whether a right was needed in a namespace in which the
// operator has no Role.
func usedSomewhereElse(needed map[right]bool, has right, home string) bool {
	for r := range needed {
		if r.String() == has.String() && r.namespace != home && r.namespace != operatorNamespace {
			return true
		}
	}
	return false
}

// Without any one of the rules something is forbidden: none is there for nothing.
// With REMOVE_EVERY_RIGHT it is every verb over every kind, which takes minutes.
func TestNoRuleCanGo(t *testing.T) {
	addForeignKinds(t)
	clusterRole, role, election, err := rulesShipped()
	if err != nil {
		t.Fatal(err)
	}
	roles := [][]rbacv1.PolicyRule{clusterRole, role, election}
	for i, rules := range roles {
		if os.Getenv("REMOVE_EVERY_RIGHT") != "" {
			roles[i] = spellOut(rules)
		}
	}
	for i, name := range []string{"cluster", "namespace", "election"} {
		for j, rule := range roles[i] {
			t.Run(fmt.Sprintf("%s-%d", name, j), func(t *testing.T) {
				less := slices.Clone(roles)
				less[i] = slices.Delete(slices.Clone(roles[i]), j, j+1)
				l := liveWith(t, fmt.Sprintf("operator-without-%s-%d", name, j), less[0], less[1], less[2])
				if l.traffic.refusal() == "" {
					t.Errorf("nobody notices when this is gone: %v %v %v", rule.Verbs, rule.APIGroups, rule.Resources)
				}
				t.Logf("without %v %v %v: %s", rule.Verbs, rule.APIGroups, rule.Resources, l.traffic.refusal())
			})
		}
	}
}

// spellOut makes a rule of each verb over each kind.
func spellOut(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	var all []rbacv1.PolicyRule
	for _, rule := range rules {
		for _, r := range rightsOf([]rbacv1.PolicyRule{rule}, "") {
			all = append(all, rbacv1.PolicyRule{Verbs: []string{r.verb}, APIGroups: []string{r.group}, Resources: []string{r.resource}, ResourceNames: rule.ResourceNames})
		}
	}
	return all
}
