// chartrender: a small stand-in for `helm template` for tests, on Debian's Go 1.19 + sprig.
// usage: chartrender [-n NS] [-name REL] [-f values.yaml]... [-set a.b=c]... [-kube 1.29.0] [-api group/version]... [-notes] CHARTDIR
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"text/template"

	"github.com/BurntSushi/toml"
	"github.com/Masterminds/sprig"
	"github.com/xeipuuv/gojsonschema"
	"sigs.k8s.io/yaml"
)

type M = map[string]interface{}
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func die(f string, a ...interface{}) { fmt.Fprintf(os.Stderr, "Error: "+f+"\n", a...); os.Exit(1) }

// ---- .Files
type Files map[string][]byte

func (f Files) GetBytes(n string) []byte { return f[n] }
func (f Files) Get(n string) string      { return string(f[n]) }
func (f Files) Lines(n string) []string {
	return strings.Split(strings.TrimSuffix(string(f[n]), "\n"), "\n")
}
func (f Files) Glob(p string) Files {
	var b strings.Builder
	b.WriteString("^")
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '*' && i+1 < len(p) && p[i+1] == '*':
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '{':
			b.WriteString("(?:")
		case c == '}':
			b.WriteString(")")
		case c == ',':
			b.WriteString("|")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	re := regexp.MustCompile(b.String() + "$")
	r := Files{}
	for k, v := range f {
		if re.MatchString(k) {
			r[k] = v
		}
	}
	return r
}
func (f Files) AsConfig() string {
	m := map[string]string{}
	for k, v := range f {
		m[path.Base(k)] = string(v)
	}
	return toYaml(m)
}
func (f Files) AsSecrets() string {
	m := map[string]string{}
	for k, v := range f {
		m[path.Base(k)] = base64.StdEncoding.EncodeToString(v)
	}
	return toYaml(m)
}

// ---- .Capabilities
type KubeVersion struct{ Version, Major, Minor string }

func (k KubeVersion) String() string     { return k.Version }
func (k KubeVersion) GitVersion() string { return k.Version }

type APIVersions []string

func (a APIVersions) Has(v string) bool {
	for _, x := range a {
		if x == v || strings.HasPrefix(v, x+"/") {
			return true
		}
	}
	return false
}

type Metadata struct {
	Name        string            `json:"name"`
	Version     string            `json:"version"`
	AppVersion  string            `json:"appVersion"`
	Description string            `json:"description"`
	APIVersion  string            `json:"apiVersion"`
	Type        string            `json:"type"`
	KubeVersion string            `json:"kubeVersion"`
	Home        string            `json:"home"`
	Icon        string            `json:"icon"`
	Annotations map[string]string `json:"annotations"`
}

func toYaml(v interface{}) string {
	b, err := yaml.Marshal(v)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}

// merge over into base; null deletes, as helm does
func merge(base, over M) M {
	for k, v := range over {
		if v == nil {
			delete(base, k)
		} else if ov, ok := v.(M); ok {
			if bv, ok := base[k].(M); ok {
				base[k] = merge(bv, ov)
			} else {
				base[k] = merge(M{}, ov)
			}
		} else {
			base[k] = v
		}
	}
	return base
}

// --set a.b.c=v,d=e ; a.b={x,y} ; a[0].b is not supported
func parseSet(dst M, s string) {
	depth := 0
	parts := strings.FieldsFunc(s, func(r rune) bool {
		if r == '{' {
			depth++
		} else if r == '}' {
			depth--
		}
		return r == ',' && depth == 0
	})
	for _, p := range parts {
		kv := strings.SplitN(p, "=", 2)
		if len(kv) != 2 {
			die("bad --set %q", p)
		}
		keys := strings.Split(strings.ReplaceAll(kv[0], `\.`, "\x00"), ".")
		m := dst
		for i, k := range keys {
			k = strings.ReplaceAll(k, "\x00", ".")
			if i == len(keys)-1 {
				m[k] = typed(kv[1])
			} else {
				n, ok := m[k].(M)
				if !ok {
					n = M{}
					m[k] = n
				}
				m = n
			}
		}
	}
}
func typed(v string) interface{} {
	if strings.HasPrefix(v, "{") && strings.HasSuffix(v, "}") {
		l := []interface{}{}
		for _, x := range strings.Split(v[1:len(v)-1], ",") {
			l = append(l, typed(x))
		}
		return l
	}
	switch v {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	}
	var n int64
	if _, err := fmt.Sscanf(v, "%d", &n); err == nil && fmt.Sprint(n) == v {
		return n
	}
	return v
}

type engine struct{ tpls map[string]string }

func (e *engine) template(extra map[string]string) *template.Template {
	t := template.New("gotpl").Option("missingkey=zero")
	f := sprig.TxtFuncMap()
	delete(f, "env")
	delete(f, "expandenv")
	depth := map[string]int{}
	for k, v := range (template.FuncMap{
		"toYaml": toYaml,
		"toJson": func(v interface{}) string { b, _ := json.Marshal(v); return string(b) },
		"toToml": func(v interface{}) string {
			var b bytes.Buffer
			if err := toml.NewEncoder(&b).Encode(v); err != nil {
				return err.Error()
			}
			return b.String()
		},
		"fromYaml": func(s string) M {
			m := M{}
			if err := yaml.Unmarshal([]byte(s), &m); err != nil {
				m["Error"] = err.Error()
			}
			return m
		},
		"fromYamlArray": func(s string) []interface{} {
			a := []interface{}{}
			if err := yaml.Unmarshal([]byte(s), &a); err != nil {
				a = []interface{}{err.Error()}
			}
			return a
		},
		"fromJson": func(s string) M {
			m := M{}
			if err := json.Unmarshal([]byte(s), &m); err != nil {
				m["Error"] = err.Error()
			}
			return m
		},
		"lookup": func(string, string, string, string) M { return M{} },
		"required": func(msg string, v interface{}) (interface{}, error) {
			if v == nil || v == "" {
				return v, fmt.Errorf("%s", msg)
			}
			return v, nil
		},
		"include": func(name string, data interface{}) (string, error) {
			if depth[name]++; depth[name] > 1000 {
				return "", fmt.Errorf("nested reference name: %s", name)
			}
			defer func() { depth[name]-- }()
			var b strings.Builder
			err := t.ExecuteTemplate(&b, name, data)
			return b.String(), err
		},
		"tpl": func(s string, data interface{}) (string, error) {
			n := e.template(map[string]string{"tpl#": s})
			var b strings.Builder
			err := n.ExecuteTemplate(&b, "tpl#", data)
			return strings.ReplaceAll(b.String(), "<no value>", ""), err
		},
	}) {
		f[k] = v
	}
	t.Funcs(f)
	names := []string{}
	for k := range e.tpls {
		names = append(names, k)
	}
	sort.Sort(sort.Reverse(sort.StringSlice(names)))
	for _, n := range names {
		if _, err := t.New(n).Parse(e.tpls[n]); err != nil {
			die("parse: %v", err)
		}
	}
	for n, s := range extra {
		if _, err := t.New(n).Parse(s); err != nil {
			die("parse tpl: %v", err)
		}
	}
	return t
}

func main() {
	var vf, sets, apis list
	ns := flag.String("n", "default", "namespace")
	rel := flag.String("name", "release-name", "release")
	kube := flag.String("kube", "1.29.0", "kube version")
	notes := flag.Bool("notes", false, "print NOTES.txt too")
	useNumber := flag.Bool("usenumber", false, "decode numbers as json.Number, not float64 (helm versions differ: a chart must render the same with both)")
	upgrade := flag.Bool("is-upgrade", false, "")
	flag.Var(&vf, "f", "values file")
	flag.Var(&sets, "set", "k=v")
	flag.Var(&apis, "api", "extra API version")
	flag.Parse()
	dir := filepath.Clean(flag.Arg(0))
	rd := func(p string, v interface{}) {
		b, err := os.ReadFile(p)
		if err != nil {
			die("%v", err)
		}
		if err := yaml.UnmarshalStrict(b, v, func(d *json.Decoder) *json.Decoder {
			if *useNumber {
				d.UseNumber()
			}
			return d
		}); err != nil {
			die("%s: %v", p, err)
		}
	}
	var raw M
	rd(filepath.Join(dir, "Chart.yaml"), &raw)
	var md Metadata
	b, _ := json.Marshal(raw)
	if err := json.Unmarshal(b, &md); err != nil {
		die("Chart.yaml: %v", err)
	}
	if md.Name != filepath.Base(dir) {
		die("chart name %q is not the directory's", md.Name)
	}
	vals := M{}
	rd(filepath.Join(dir, "values.yaml"), &vals)
	for _, f := range vf {
		o := M{}
		rd(f, &o)
		vals = merge(vals, o)
	}
	for _, s := range sets {
		o := M{}
		parseSet(o, s)
		vals = merge(vals, o)
	}
	files, e := Files{}, &engine{tpls: map[string]string{}}
	filepath.Walk(dir, func(p string, i os.FileInfo, err error) error {
		if err != nil || i.IsDir() {
			return err
		}
		r, _ := filepath.Rel(dir, p)
		c, _ := os.ReadFile(p)
		switch {
		case strings.HasPrefix(r, "templates/"):
			e.tpls[md.Name+"/"+r] = string(c)
		case r == "Chart.yaml" || r == "values.yaml" || r == "values.schema.json" || r == ".helmignore" || r == "Chart.lock" || strings.HasPrefix(r, "charts/"):
		default:
			files[r] = c
		}
		return nil
	})
	if s, err := os.ReadFile(filepath.Join(dir, "values.schema.json")); err == nil {
		res, err := gojsonschema.Validate(gojsonschema.NewBytesLoader(s), gojsonschema.NewGoLoader(vals))
		if err != nil {
			die("values.schema.json: %v", err)
		}
		if !res.Valid() {
			for _, x := range res.Errors() {
				fmt.Fprintln(os.Stderr, "- "+x.String())
			}
			die("values don't meet the specifications of the schema(s)")
		}
	}
	kv := strings.SplitN(*kube, ".", 3)
	caps := M{"KubeVersion": KubeVersion{"v" + *kube, kv[0], kv[1]}, "HelmVersion": M{"Version": "v3.14.0"},
		"APIVersions": append(APIVersions{"v1", "apps/v1", "batch/v1", "autoscaling/v2", "policy/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1"}, apis...)}
	root := M{"Values": vals, "Chart": md, "Files": files, "Capabilities": caps,
		"Release": M{"Name": *rel, "Namespace": *ns, "Service": "Helm", "Revision": 1, "IsInstall": !*upgrade, "IsUpgrade": *upgrade}}
	t := e.template(nil)
	names := []string{}
	for k := range e.tpls {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, n := range names {
		if strings.HasPrefix(path.Base(n), "_") || (strings.HasSuffix(n, "NOTES.txt") && !*notes) {
			continue
		}
		root["Template"] = M{"Name": n, "BasePath": md.Name + "/templates"}
		var o strings.Builder
		if err := t.ExecuteTemplate(&o, n, root); err != nil {
			die("%v", err)
		}
		s := strings.ReplaceAll(o.String(), "<no value>", "")
		if strings.TrimSpace(s) == "" {
			continue
		}
		if !strings.HasSuffix(n, "NOTES.txt") {
			for _, d := range regexp.MustCompile(`(?m)^---\s*$`).Split(s, -1) {
				var x interface{}
				if err := yaml.UnmarshalStrict([]byte(d), &x); err != nil {
					die("YAML parse error on %s: %v\n%s", n, err, d)
				}
			}
		}
		fmt.Printf("---\n# Source: %s\n%s\n", n, strings.Trim(s, "\n"))
	}
}
